package io.fastsafetensors.types;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LocationTest {
    @TempDir
    Path directory;

    @Test
    void text_without_a_scheme_is_a_path() {
        Location location = Location.of("models/a.safetensors");
        assertEquals(Optional.of(Path.of("models/a.safetensors")), location.path());
        assertEquals("file", location.scheme());
        assertEquals("a.safetensors", location.name());
        assertEquals("models/a.safetensors", location.toString());
        assertTrue(location.isLocal());
    }

    @Test
    void a_file_uri_is_a_path() {
        assertEquals(Optional.of(Path.of("/m/a b")), Location.of("file:///m/a%20b").path());
        assertEquals(Location.of(Path.of("/m/a")), Location.of(URI.create("file:///m/a")));
    }

    @Test
    void text_with_a_scheme_is_an_address() {
        Location location = Location.of("S3://bucket/models/llama/");
        assertEquals("s3", location.scheme());
        assertEquals(Optional.empty(), location.path());
        assertEquals("llama", location.name());
        assertFalse(location.isLocal());
    }

    @Test
    void one_letter_and_a_colon_is_no_scheme() {
        assertEquals("file", Location.of("c:model").scheme());
    }

    @Test
    void a_uri_without_a_scheme_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> Location.of(URI.create("models/a")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"file:model.safetensors", "file://host/m/a", "file:///m/a b", "file:///m/%zz", "file:///m/a?b",
                "file:///m/%00", "FILE:relative/a"})
    void an_unusable_file_uri_is_refused_with_the_way_out(String text) {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> Location.of(text));
        assertTrue(e.getMessage().contains(text) && e.getMessage().contains("or the path alone"), e.getMessage());
    }

    @Test
    void names_in_addresses_are_encoded_and_decoded() {
        Location file = Location.of("https://host/models").resolve("模型 1.safetensors");
        assertEquals("https://host/models/%E6%A8%A1%E5%9E%8B%201.safetensors", file.address());
        assertEquals("模型 1.safetensors", file.name());
        assertEquals(Optional.of(Location.of("https://host/models")), file.parent());
    }

    @Test
    void a_hub_address_has_names() {
        Location model = Location.of("hf:org/name@main");
        assertEquals("hf:org/name@main/config.json", model.resolve("config.json").address());
        assertEquals(Optional.of(model), model.resolve("config.json").parent());
    }

    @Test
    void the_top_of_an_address_has_no_parent() {
        assertEquals(Optional.empty(), Location.of("s3://bucket").parent());
        assertEquals(Optional.empty(), Location.of("memory:model").parent());
    }

    @Test
    void a_query_stays_with_the_address_and_out_of_messages() {
        Location index = Location.of("https://me:pass@host/m/x.index.json?token=hush");
        Location shard = index.parent().orElseThrow().resolve("a.safetensors");
        assertEquals("https://me:pass@host/m/a.safetensors?token=hush", shard.address());
        assertFalse(shard.toString().contains("hush"), shard.toString());
        assertFalse(shard.toString().contains("pass"), shard.toString());
        assertFalse(shard.where().toString().contains("hush"));
        assertEquals("a.safetensors", shard.name());
    }

    @Test
    void bytes_are_those_of_the_absolute_path() throws IOException {
        Path folder = Files.createDirectory(directory.resolve("a%b c+d"));
        assertArrayEquals(folder.toString().getBytes(StandardCharsets.UTF_8), Location.of(folder).bytes());
        assertArrayEquals(Path.of("x").toAbsolutePath().toString().getBytes(StandardCharsets.UTF_8),
                Location.of("x").bytes());
        assertThrows(IllegalStateException.class, () -> Location.of("s3://b/k").bytes());
    }

    @Test
    void a_name_that_is_not_utf_8_is_shown_by_its_bytes() {
        Path path = Path.of(URI.create("file:///models/caf%E9.safetensors"));
        Location location = Location.of(path);
        assertEquals("caf\\xE9.safetensors", location.name());
        assertEquals("/models/caf\\xE9.safetensors", location.toString());
        byte[] bytes = location.bytes();
        assertEquals((byte) 0xE9, bytes["/models/caf".length()]);
    }

    @Test
    void locations_are_equal_by_path_or_address() {
        assertEquals(Location.of("a"), Location.of(Path.of("a")));
        assertEquals(Location.of("S3://b/k"), Location.of("s3://b/k"));
        assertFalse(Location.of("s3://b/k?x=1").equals(Location.of("s3://b/k?x=2")));
    }
}

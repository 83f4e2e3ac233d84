package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// Digests that come from elsewhere than the metadata: a map, a sidecar, the name of a Hugging Face blob.
@Timeout(120)
class ExpectedDigestsTest {
    private static final String FIRST = "model-00001-of-00002.safetensors";
    private static final String SECOND = "model-00002-of-00002.safetensors";

    @TempDir
    Path directory;
    private final byte[] bytes = new byte[40_000];

    @BeforeEach
    void write() {
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i * 31);
        }
        SafetensorsFixture.create().tensor("a", DType.F32, Shape.of(10_000), bytes).write(directory.resolve(FIRST));
        SafetensorsFixture.create().tensor("b", DType.F32, Shape.of(20), 1).write(directory.resolve(SECOND));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static String sha256(Path file) throws IOException {
        return sha256(Files.readAllBytes(file));
    }

    private void damage(String file) throws IOException {
        byte[] all = Files.readAllBytes(directory.resolve(file));
        all[all.length - 5] ^= 1;
        Files.write(directory.resolve(file), all);
    }

    private static void assertMismatch(Executable call, String... words) {
        FormatException e = assertThrows(FormatException.class, call);
        assertEquals("DigestMismatch", e.errorName(), e.getMessage());
        List.of(words).forEach(word -> assertTrue(e.getMessage().contains(word), word + " in: " + e.getMessage()));
    }

    private Loader loader(Digests digests) {
        return Loader.builder().digests(digests).build();
    }

    @Test
    void given_digests_of_files_are_compared_while_loading() throws IOException {
        Digests right = Digests.ofFiles(Map.of(FIRST, sha256(directory.resolve(FIRST)).toUpperCase(Locale.ROOT)));
        try (Loader loader = loader(right); Weights weights = loader.load(directory)) {
            assertArrayEquals(bytes, weights.get("a").segment().toArray(ValueLayout.JAVA_BYTE));
            weights.awaitAll();
        }
        damage(FIRST);
        try (Loader loader = loader(right)) {
            try (Weights weights = loader.load(directory)) {
                assertMismatch(() -> weights.get("a"), FIRST, "given");
                assertEquals(20, weights.get("b").shape().elements());
                assertMismatch(weights::awaitAll, FIRST);
            }
            assertMismatch(() -> {
                try (TensorStream stream = loader.stream(directory)) {
                    stream.forEach(Tensor::close);
                }
            }, FIRST);
            Path copy = directory.resolve("copy.safetensors");
            assertMismatch(() -> loader.rewrite(directory, copy, WriteOptions.defaults()), FIRST);
            assertFalse(Files.exists(copy));
        }
    }

    @Test
    void a_digest_of_a_file_that_is_not_there_is_told() {
        try (Loader loader = loader(Digests.ofFiles(Map.of("model.safetensors", "00".repeat(32))))) {
            assertMismatch(() -> loader.load(directory).close(), "model.safetensors", "no such file");
        }
    }

    @Test
    void given_digests_of_tensors_are_compared_without_metadata() throws IOException {
        Digests right = Digests.ofTensors(Map.of("a", sha256(bytes)));
        try (Loader loader = loader(right); Weights weights = loader.load(directory)) {
            weights.awaitAll();
        }
        damage(FIRST);
        try (Loader loader = loader(right); Weights weights = loader.load(directory)) {
            assertMismatch(() -> weights.get("a"), "tensor a");
        }
        try (Loader loader = loader(Digests.ofTensors(Map.of("c", "00".repeat(32))))) {
            assertThrows(TensorNotFoundException.class, () -> loader.load(directory).close());
        }
    }

    @Test
    void sidecars_are_found_in_every_spelling_of_sha256sum() throws IOException {
        String first = sha256(directory.resolve(FIRST));
        String second = sha256(directory.resolve(SECOND));
        Files.writeString(directory.resolve("SHA256SUMS"),
                "# a comment\n" + first + "  " + FIRST + "\r\n" + "00".repeat(32) + "  another.bin\n" + second + " *./"
                        + SECOND);
        assertFound("SHA256SUMS", "SHA256SUMS");
        Files.delete(directory.resolve("SHA256SUMS"));
        Files.writeString(directory.resolve(FIRST + ".sha256"), first.toUpperCase(Locale.ROOT) + "\n");
        Files.writeString(directory.resolve(SECOND + ".sha256"), second + "  " + SECOND + "\n");
        assertFound(FIRST + ".sha256", SECOND + ".sha256");
        try (Loader loader = loader(Digests.found()); Weights weights = loader.load(directory)) {
            weights.awaitAll();
        }
        damage(SECOND);
        try (Loader loader = loader(Digests.found()); Weights weights = loader.load(directory)) {
            assertMismatch(weights::awaitAll, SECOND, SECOND + ".sha256");
        }
    }

    private void assertFound(String first, String second) {
        Map<Location, String> found =
                Diagnostics.digests(Location.of(directory), OpenOptions.defaults(), Digests.found());
        assertEquals(
                Map.of(Location.of(directory.resolve(FIRST)), first, Location.of(directory.resolve(SECOND)), second),
                found);
    }

    @Test
    void a_hugging_face_blob_is_compared_with_its_name() throws IOException {
        Path blobs = Files.createDirectories(directory.resolve("models--org--name/blobs"));
        Path snapshot = Files.createDirectories(directory.resolve("models--org--name/snapshots/abc"));
        Path blob = blobs.resolve(sha256(directory.resolve(FIRST)));
        Files.copy(directory.resolve(FIRST), blob);
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), Path.of("../../blobs/" + blob.getFileName()));
        Map<Location, String> found =
                Diagnostics.digests(Location.of(snapshot), OpenOptions.defaults(), Digests.found());
        assertEquals(List.of("name of the Hugging Face blob"), List.copyOf(found.values()));
        try (Loader loader = loader(Digests.found())) {
            try (Weights weights = loader.load(snapshot)) {
                weights.awaitAll();
            }
            byte[] all = Files.readAllBytes(blob);
            all[all.length - 1] ^= 1;
            Files.write(blob, all);
            try (Weights weights = loader.load(snapshot)) {
                assertMismatch(() -> weights.get("a"), "blob");
            }
        }
        // A file of Git is named by the SHA-1 of its blob, which is none of these.
        Path small = blobs.resolve("0123456789012345678901234567890123456789");
        Files.copy(directory.resolve(FIRST), small);
        Files.delete(snapshot.resolve("model.safetensors"));
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), Path.of("../../blobs/" + small.getFileName()));
        assertEquals(Map.of(), Diagnostics.digests(Location.of(snapshot), OpenOptions.defaults(), Digests.found()));
    }

    @Test
    void closing_at_once_ends_the_reading() throws IOException {
        Digests right = Digests.ofFiles(Map.of(FIRST, sha256(directory.resolve(FIRST))));
        for (int i = 0; i < 20; i++) {
            try (Loader loader = loader(right)) {
                loader.load(directory).close();
            }
        }
    }

    @Test
    void what_is_no_digest_is_refused_and_so_are_several_ranks() {
        assertThrows(IllegalArgumentException.class, () -> Digests.ofFiles(Map.of("x", "abc")));
        Ranks.all(2, group -> {
            assertThrows(UnsupportedFeatureException.class,
                    () -> Loader.builder().group(group).digests(Digests.found()).build());
            return "";
        });
    }
}

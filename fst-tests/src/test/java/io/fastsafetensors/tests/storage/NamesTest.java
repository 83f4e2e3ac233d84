package io.fastsafetensors.tests.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// The meaning of a name depends on no locale, and a relative path on the JVM's working directory alone.
@EnabledOnOs(OS.LINUX)
@Timeout(600)
class NamesTest {
    private static final String EMOJI_255 = "%F0%9F%A6%99".repeat(63) + "abc";
    /// Percent-encoded: Latin-1, an emoji, three bytes each, 255 bytes, and what `?` and U+FFFD would be taken for.
    private static final List<String> NAMES = List.of("caf%E9.safetensors", "%F0%9F%A6%99.safetensors",
            "%E6%A8%A1%E5%9E%8B.safetensors", EMOJI_255);
    private static final List<String> TRAPS = List.of("caf%EF%BF%BD.safetensors", "caf%3F.safetensors",
            "%EF%BF%BD.safetensors", "%3F%3F%3F%3F.safetensors", "%3F%3F%3F%3F%3F%3F.safetensors");

    @TempDir
    Path directory;

    private URI uri(String encoded) {
        String parent = directory.toUri().getRawPath();
        return URI.create("file://" + parent + (parent.endsWith("/") ? "" : "/") + encoded);
    }

    private static void write(Path file, int value) {
        Safetensors.write(file, List.of(TensorSource.of("t" + value, DType.U8, Shape.of(1),
                channel -> channel.write(ByteBuffer.wrap(new byte[] {(byte) value})))), WriteOptions.defaults());
    }

    private List<String> run(Map<String, String> environment, List<String> prefix, List<String> options,
            String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path")));
        command.addAll(options);
        command.add(NamesProgram.class.getName());
        command.addAll(Arrays.asList(arguments));
        Path output = Files.createTempFile("names", ".txt");
        ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        builder.environment().remove("JAVA_TOOL_OPTIONS");
        int status = builder.start().waitFor();
        String text = Files.readString(output, StandardCharsets.ISO_8859_1);
        Files.delete(output);
        assertEquals(0, status, text);
        return text.lines().toList();
    }

    @Test
    void every_name_is_loaded_under_every_locale() throws IOException, InterruptedException {
        int value = 1;
        for (String name : NAMES) {
            write(Path.of(uri(name)), value++);
        }
        for (String name : TRAPS) {
            write(Path.of(uri(name)), 100);
        }
        String[] arguments = NAMES.stream().map(name -> uri(name).toString()).toList().toArray(String[]::new);
        String[] all = new String[arguments.length + 1];
        all[0] = "load";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        for (String locale : List.of("C", "C.UTF-8")) {
            assertEquals(List.of("[1]", "[2]", "[3]", "[4]"),
                    run(Map.of("LC_ALL", locale), List.of(), List.of(), all), locale);
        }
    }

    @Test
    void an_index_names_its_shards_whatever_the_locale() throws IOException, InterruptedException {
        write(directory.resolve("1.safetensors"), 1);
        Files.move(directory.resolve("1.safetensors"), Path.of(uri("%E6%A8%A1%E5%9E%8B-00001-of-00001.safetensors")));
        Path index = Files.writeString(directory.resolve("model.safetensors.index.json"),
                "{\"weight_map\":{\"t1\":\"模型-00001-of-00001.safetensors\"}}");
        for (String locale : List.of("C", "C.UTF-8")) {
            assertEquals(List.of("[1]", "[1]"), run(Map.of("LC_ALL", locale), List.of(), List.of(), "load",
                    index.toUri().toString(), directory.toUri().toString()), locale);
        }
    }

    @Test
    @Tag("slow")
    void files_of_any_name_are_written_whatever_the_locale() throws IOException, InterruptedException {
        for (String name : NAMES) {
            assertEquals(List.of(), run(Map.of("LC_ALL", "C"), List.of(), List.of(), "write", uri(name).toString()));
            assertEquals(List.of("[7]"),
                    run(Map.of("LC_ALL", "C"), List.of(), List.of(), "load", uri(name).toString()));
        }
        assertEquals(NAMES.size(), Files.list(directory).count(), "something was left");
    }

    @Test
    void a_relative_path_is_below_user_dir_for_headers_and_data_alike() throws IOException, InterruptedException {
        Path other = Files.createDirectory(directory.resolve("other"));
        write(other.resolve("m.safetensors"), 5);
        write(directory.resolve("m.safetensors"), 6);
        assertEquals(List.of("[5]"),
                run(Map.of(), List.of(), List.of("-Duser.dir=" + other), "load", "m.safetensors"));
        assertEquals(List.of("[6]"), run(Map.of(), List.of(), List.of(), "load", "m.safetensors"));
    }

    @Test
    void three_hundred_shards_need_few_descriptors() throws IOException, InterruptedException {
        for (int i = 0; i < 300; i++) {
            write(directory.resolve(String.format("m-%03d.safetensors", i)), i);
        }
        assertEquals(List.of("300 tensors"), run(Map.of(), List.of("sh", "-c", "ulimit -n 64; exec \"$@\"", "sh"),
                List.of(), "load", directory.toUri().toString()));
    }
}

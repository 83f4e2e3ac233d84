package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Names of files on the command line are what the shell passed, whatever the locale.
@EnabledOnOs(OS.LINUX)
class ArgumentsTest {
    @TempDir
    Path directory;

    private static byte[] commandLine(byte[]... words) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes("java\0-cp\0x\0Main\0".getBytes(StandardCharsets.US_ASCII));
        for (byte[] word : words) {
            all.writeBytes(word);
            all.write(0);
        }
        return all.toByteArray();
    }

    @Test
    void what_the_charset_lost_is_taken_from_the_command_line() {
        byte[] latin = {'c', 'a', 'f', (byte) 0xE9};
        byte[] emoji = "🦙".getBytes(StandardCharsets.UTF_8);
        byte[] question = "what?".getBytes(StandardCharsets.US_ASCII);
        String[] exact = RawArguments.exact(new String[] {"ls", "caf\uFFFD", "????", "what?"},
                commandLine("ls".getBytes(StandardCharsets.US_ASCII), latin, emoji, question));
        assertArrayEquals(new String[] {"ls", "caf\uDCE9", "🦙", "what?"}, exact);
        assertEquals("caf\\xE9", RawArguments.shown(exact[1]));
        assertEquals("🦙", RawArguments.shown(exact[2]));
        assertTrue(RawArguments.path(exact[1]).toUri().getRawPath().endsWith("/caf%E9"));
    }

    @Test
    void a_command_line_of_fewer_words_is_not_believed() {
        String[] given = {"ls", "caf\uFFFD"};
        assertArrayEquals(given, RawArguments.exact(given, new byte[] {'l', 's', 0}));
    }

    @Test
    void the_command_lists_files_of_any_name_under_every_locale() throws IOException, InterruptedException {
        String folder = directory.toUri().getRawPath();
        for (String name : List.of("caf%E9.safetensors", "%F0%9F%A6%99.safetensors", "%3F%3F%3F%3F.safetensors")) {
            Path path = Path.of(URI.create("file://" + folder + (folder.endsWith("/") ? "" : "/") + name));
            Cli.write(path, Cli.bytes(name.startsWith("caf") ? "latin" : name.startsWith("%3F") ? "trap" : "emoji", 1));
        }
        List<String> lines = ls("C", "caf\\351.safetensors", "\\360\\237\\246\\231.safetensors");
        assertTrue(lines.stream().anyMatch(line -> line.contains("latin") && line.contains("caf\\xE9")),
                lines.toString());
        assertTrue(lines.stream().anyMatch(line -> line.contains("emoji") && line.contains("🦙")), lines.toString());
        assertTrue(lines.stream().noneMatch(line -> line.contains("trap")), lines.toString());
        assertEquals(lines, ls("C.UTF-8", "caf\\351.safetensors", "\\360\\237\\246\\231.safetensors"));
    }

    /// @param names as printf(1) reads them
    private List<String> ls(String locale, String... names) throws IOException, InterruptedException {
        StringBuilder words = new StringBuilder();
        for (String name : names) {
            words.append(" \"$(printf '").append(name).append("')\"");
        }
        List<String> command = new ArrayList<>(List.of("sh", "-c", "exec \"$@\" ls --format tsv" + words, "sh",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                Main.class.getName()));
        Path output = Files.createTempFile("ls", ".tsv");
        ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().put("LC_ALL", locale);
        builder.environment().remove("JAVA_TOOL_OPTIONS");
        int status = builder.start().waitFor();
        String text = Files.readString(output);
        Files.delete(output);
        assertEquals(0, status, text);
        return text.lines().toList();
    }

    @Test
    void an_address_without_a_storage_names_those_that_are_there() {
        Cli.Result result = Cli.run("ls", "gs://bucket/m");
        assertEquals(1, result.status());
        assertTrue(result.err().contains("no storage for scheme gs; present: file"), result.err());
    }
}

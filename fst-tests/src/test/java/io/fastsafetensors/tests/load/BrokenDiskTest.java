package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Loads in a JVM whose pread is replaced by one that misbehaves.
@Timeout(120)
class BrokenDiskTest {
    @TempDir
    static Path directory;

    private static Path shim;
    private static Path file;
    private static Map<String, String> digests;

    @BeforeAll
    static void compile() throws IOException, InterruptedException {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "LD_PRELOAD is a matter of Linux");
        shim = CLibrary.compile("faulty_pread", directory);
        file = directory.resolve("model.safetensors");
        digests = Samples.write(file, 6, (3 << 20) + 77, 9);
    }

    private record Outcome(int exit, String out) {
    }

    private static Outcome load(Path path, String directIo, Map<String, String> environment)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-Xmx64m", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                LoadProgram.class.getName(), path.toString(), directIo));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LD_PRELOAD", shim.toString());
        builder.environment().putAll(environment);
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), out);
        return new Outcome(process.exitValue(), out);
    }

    @ParameterizedTest
    @ValueSource(strings = {"AUTO", "ALWAYS", "NEVER"})
    void short_and_interrupted_reads_give_the_right_bytes(String directIo) throws IOException, InterruptedException {
        for (String fault : List.of("short", "eintr")) {
            Outcome outcome = load(file, directIo, Map.of("FAULT", fault));
            assertEquals(0, outcome.exit(), outcome.out());
            digests.forEach((name, digest) -> assertTrue(outcome.out().contains(name + " " + digest),
                    fault + ": " + outcome.out()));
            assertTrue(outcome.out().contains("left: 0 descriptors, 0 threads"), outcome.out());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"AUTO", "ALWAYS", "NEVER"})
    void an_error_of_the_disk_is_one_exception_with_file_and_offset(String directIo)
            throws IOException, InterruptedException {
        for (String fault : List.of("eio", "enomem")) {
            for (int after : new int[] {0, 2}) {
                Outcome outcome = load(file, directIo,
                        Map.of("FAULT", fault, "FAULT_AFTER", Integer.toString(after)));
                assertEquals(3, outcome.exit(), outcome.out());
                assertTrue(outcome.out().contains("StorageException"), outcome.out());
                assertTrue(outcome.out().contains(fault.toUpperCase(Locale.ROOT)), outcome.out());
                assertTrue(outcome.out().contains("[file " + file + ", offset "), outcome.out());
                assertTrue(outcome.out().contains("left: 0 descriptors, 0 threads"), outcome.out());
            }
        }
    }

    @Test
    void a_file_cut_behind_the_readers_back_is_one_exception() throws IOException, InterruptedException {
        Path victim = Files.copy(file, directory.resolve("victim.safetensors"));
        Outcome outcome = load(victim, "AUTO", Map.of("FAULT", "truncate", "FAULT_AFTER", "1", "FAULT_FILE",
                victim.toString(), "FAULT_LENGTH", "5000000"));
        assertEquals(3, outcome.exit(), outcome.out());
        assertTrue(outcome.out().contains("shrank"), outcome.out());
        assertTrue(outcome.out().contains("left: 0 descriptors, 0 threads"), outcome.out());
    }
}

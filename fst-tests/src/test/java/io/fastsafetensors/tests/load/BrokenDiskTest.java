package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fastsafetensors.test.CBuild;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.ChildProcess.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Loads in a JVM whose pread is replaced by one that misbehaves.
@Timeout(600)
class BrokenDiskTest {
    @TempDir
    static Path directory;

    private static Path shim;
    private static Path file;
    private static Map<String, String> digests;

    @BeforeAll
    static void compile() {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "LD_PRELOAD is a matter of Linux");
        shim = CBuild.sharedLibrary("faulty_pread.so").resources(BrokenDiskTest.class, "faulty_pread.c")
                .into(directory);
        file = directory.resolve("model.safetensors");
        digests = Samples.write(file, 6, (3 << 20) + 77, 9);
    }

    private static Result load(Path path, String directIo, Map<String, String> environment) {
        return ChildProcess.java(LoadProgram.class, path, directIo).options("-Xmx64m").environment("LD_PRELOAD", shim)
                .environment(environment).run();
    }

    @ParameterizedTest
    @ValueSource(strings = {"AUTO", "ALWAYS", "NEVER"})
    void short_and_interrupted_reads_give_the_right_bytes(String directIo) {
        for (String fault : List.of("short", "eintr")) {
            Result result = load(file, directIo, Map.of("FAULT", fault));
            assertEquals(0, result.status(), result.output());
            digests.forEach((name, digest) -> assertTrue(result.output().contains(name + " " + digest),
                    fault + ": " + result.output()));
            assertTrue(result.output().contains("left: 0 descriptors, 0 threads"), result.output());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"AUTO", "ALWAYS", "NEVER"})
    @Tag("slow")
    void an_error_of_the_disk_is_one_exception_with_file_and_offset(String directIo) {
        for (String fault : List.of("eio", "enomem")) {
            for (int after : new int[] {0, 2}) {
                Result result = load(file, directIo,
                        Map.of("FAULT", fault, "FAULT_AFTER", Integer.toString(after)));
                assertEquals(3, result.status(), result.output());
                assertTrue(result.output().contains("StorageException"), result.output());
                assertTrue(result.output().contains(fault.toUpperCase(Locale.ROOT)), result.output());
                assertTrue(result.output().contains("[file " + file + ", offset "), result.output());
                assertTrue(result.output().contains("left: 0 descriptors, 0 threads"), result.output());
            }
        }
    }

    @Test
    void a_file_cut_behind_the_readers_back_is_one_exception() throws IOException {
        Path victim = Files.copy(file, directory.resolve("victim.safetensors"));
        Result result = load(victim, "AUTO", Map.of("FAULT", "truncate", "FAULT_AFTER", "1", "FAULT_FILE",
                victim.toString(), "FAULT_LENGTH", "5000000"));
        assertEquals(3, result.status(), result.output());
        assertTrue(result.output().contains("shrank"), result.output());
        assertTrue(result.output().contains("left: 0 descriptors, 0 threads"), result.output());
    }

    @Test
    @Tag("slow")
    void every_call_of_libc_that_fails_once_is_one_exception_or_none_and_leaves_nothing() throws IOException {
        Path library = CBuild.sharedLibrary("faulty_libc.so").resources(BrokenDiskTest.class, "faulty_libc.c")
                .into(directory);
        ChildProcess.java(LibcFaultsProgram.class, Files.createDirectory(directory.resolve("libc")), library)
                .environment("LD_PRELOAD", library).limit(Duration.ofMinutes(8)).run().succeeded();
    }
}

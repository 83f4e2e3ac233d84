package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.test.ChildProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Headers made to be dear, read in a JVM that has little memory.
class HostileHeaderTest {
    @TempDir
    Path directory;

    @Test
    void overlaps_are_refused() {
        assertVerdict("InvalidOffset",
                TestFile.of(TestFile.header(IntStream.range(0, 100_000)
                        .mapToObj(i -> entry("tensor.number." + i, "I32", "[2,2]", 0, 16)).toArray(String[]::new)),
                        16));
    }

    @Test
    void names_of_one_hash_are_read() {
        // "Aa" and "BB" have one hash, and so have all strings of them.
        assertVerdict(VerdictFiles.OK, TestFile.of(
                TestFile.header(IntStream.range(0, 1 << 16).mapToObj(i -> entry(collision(i), "U8", "[0]", 0, 0))
                        .toArray(String[]::new)),
                0));
    }

    @Test
    void depth_without_end_is_refused() {
        assertVerdict("InvalidHeaderDeserialization", TestFile.of("{\"a\":{\"x\":" + "[".repeat(8_000_000), 0));
    }

    @Test
    void long_number_is_refused() {
        assertVerdict("InvalidHeaderDeserialization", TestFile
                .of("{\"a\":{\"x\":" + "9".repeat(4_000_000)
                        + ",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1));
    }

    private static String collision(int number) {
        return IntStream.range(0, 16).mapToObj(bit -> (number >> bit & 1) == 0 ? "Aa" : "BB")
                .collect(Collectors.joining());
    }

    private void assertVerdict(String verdict, byte[] bytes) {
        Path file = TestFile.write(directory.resolve("hostile.safetensors"), bytes);
        ChildProcess.Result result = ChildProcess.java(HostileHeaderTest.class, file).options("-Xmx64m")
                .limit(Duration.ofSeconds(60)).run();
        assertEquals(verdict, result.output());
    }

    /// Prints the verdict on one file.
    ///
    /// @param args the file
    public static void main(String[] args) {
        try {
            Opened.header(Path.of(args[0]), OpenOptions.defaults());
            System.out.print(VerdictFiles.OK);
        } catch (FormatException e) {
            System.out.print(e.errorName());
        }
    }
}

package io.fastsafetensors.test;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Processes that print, fail, hang and have children.
@Timeout(600)
class ChildProcessTest {
    @TempDir
    Path folder;

    /// Prints its arguments, a variable and its directory; more than fits a pipe to both outputs.
    static final class Program {
        private Program() {
        }

        public static void main(String[] args) {
            System.out.println(String.join(" ", args) + " " + System.getenv("FST_WORD") + " "
                    + Path.of("").toAbsolutePath() + " " + System.getProperty("word"));
            System.err.println("e".repeat(200_000));
            System.out.println("o".repeat(200_000));
            System.exit(3);
        }
    }

    @Test
    void a_java_program_gets_class_path_options_arguments_environment_and_directory() {
        ChildProcess.Result result = ChildProcess.java(Program.class, "a b", 7).options("-Xmx32m", "-Dword=x")
                .environment("FST_WORD", "y").environment("JAVA_TOOL_OPTIONS", "-Dword=z")
                .without("JAVA_TOOL.*").directory(folder)
                .classPath(Path.of("target/test-classes").toAbsolutePath().toString()).run().withStatus(3);
        assertEquals(List.of("a b 7 y " + folder.toAbsolutePath() + " x", "o".repeat(200_000), "e".repeat(200_000)),
                result.lines());
        assertEquals(200_001, result.err().length());
    }

    @Test
    void a_status_that_is_not_the_expected_one_is_told_with_the_output() {
        AssertionError failure = assertThrows(AssertionError.class,
                () -> ChildProcess.of("sh", "-c", "echo said; echo complained >&2; exit 4").run().succeeded());
        for (String part : List.of("sh -c echo said", "status 4", "\nsaid\n", "\ncomplained\n")) {
            assertTrue(String.valueOf(failure.getMessage()).contains(part), failure.getMessage());
        }
    }

    @Test
    @Tag("slow")
    void one_that_does_not_end_is_killed_with_all_below_it_and_what_it_printed_is_told() throws Exception {
        ChildProcess.Running running = ChildProcess
                .of("sh", "-c", "sleep 1000 & echo $!; echo ready; wait; echo never").limit(Duration.ofSeconds(20))
                .start();
        running.awaitLine("ready");
        AssertionError failure = assertThrows(AssertionError.class, () -> running.awaitLine("steady"));
        assertTrue(String.valueOf(failure.getMessage()).contains("did not print \"steady\""), failure.getMessage());
        assertFalse(String.valueOf(failure.getMessage()).contains("\nnever"), failure.getMessage());
        long sleeper = failure.getMessage().lines().filter(line -> line.matches("\\d+")).mapToLong(Long::parseLong)
                .findFirst().orElseThrow();
        ProcessHandle.of(sleeper).ifPresent(left -> {
            try {
                left.onExit().get(60, TimeUnit.SECONDS);
            } catch (Exception e) {
                throw new AssertionError("the process below lives on", e);
            }
        });
        assertEquals(128 + 9, running.end().status());
    }

    @Test
    void one_that_is_killed_has_the_status_of_its_signal() {
        try (ChildProcess.Running running = ChildProcess.of("sh", "-c", "echo here; exec sleep 1000").start()) {
            running.awaitLine("here");
            assertTrue(running.isAlive());
            running.kill();
            assertEquals(128 + 9, running.end().status());
        }
    }

    @Test
    void a_command_that_there_is_not_is_named() {
        UncheckedIOException e = assertThrows(UncheckedIOException.class, () -> ChildProcess.of("fst-no-such").run());
        assertTrue(String.valueOf(e.getMessage()).startsWith("fst-no-such cannot be started"), e.getMessage());
        assertTrue(ChildProcess.problem("fst-no-such").orElseThrow().contains("fst-no-such"));
    }
}

package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The common behaviour of all commands: help, wrong usage, errors in a line.
class UsageTest {
    private static final List<String> COMMANDS = List.of("ls", "verify", "load", "bench", "convert", "align", "split",
            "merge", "diff", "cache", "doctor", "demo", "completion");

    /// Those that take two paths.
    private static final List<String> PAIRS = List.of("convert", "align", "split", "merge", "diff");

    @TempDir
    private Path directory;

    @Test
    void help_lists_every_command() {
        Cli.Result help = Cli.run("--help");
        assertEquals(0, help.status());
        COMMANDS.forEach(command -> assertTrue(help.out().contains("  " + command + " "), help.out()));
        assertEquals(help, Cli.run("help"));
        assertEquals(new Cli.Result(2, "", help.out()), Cli.run());
        assertTrue(Cli.run("--version").out().startsWith("fst "));
    }

    @Test
    void each_command_explains_itself() {
        for (String command : COMMANDS) {
            Cli.Result help = Cli.run(command, "--help");
            assertEquals(0, help.status());
            assertTrue(help.out().contains("fst " + command) && help.out().contains("--stacktrace"), help.out());
            assertEquals("", help.err());
        }
    }

    @Test
    void help_is_asked_for_in_every_way() {
        for (String command : COMMANDS) {
            Cli.Result help = Cli.run(command, "--help");
            assertEquals(help, Cli.run(command, "-h"));
            assertEquals(help, Cli.run("help", command));
        }
        assertEquals(Cli.run("--help"), Cli.run("-h"));
        assertUsage("unknown command \"lss\"", "help", "lss");
    }

    @Test
    void usage_names_the_operands() {
        assertTrue(Cli.run("convert", "--help").out().contains(" IN OUT"), Cli.run("convert", "--help").out());
        assertTrue(Cli.run("diff", "--help").out().contains(" A B"), Cli.run("diff", "--help").out());
        assertTrue(Cli.run("ls", "--help").out().contains("PATH..."), Cli.run("ls", "--help").out());
    }

    @Test
    void a_mistyped_command_gets_a_suggestion() {
        assertUsage("did you mean ls?", "lss");
        assertUsage("did you mean convert?", "covnert");
        assertUsage("did you mean verify?", "verfiy");
        assertUsage("did you mean doctor?", "doc");
        assertUsage("Unknown option: '--devic'; did you mean --device?", "load", "--devic", "cpu", "x");
        assertFalse(Cli.run("ls", "--frobnicate", "x").err().contains("did you mean"));
        assertFalse(Cli.run("frobnicate").err().contains("did you mean"));
        assertFalse(Cli.run("x").err().contains("did you mean"));
    }

    @Test
    void wrong_usage_is_status_2_and_one_line() {
        assertUsage("unknown command", "frobnicate");
        assertUsage("unknown command", "\u001b[2J");
        for (String command : List.of("ls", "verify", "load", "bench")) {
            assertUsage("PATH", command);
        }
        for (String command : PAIRS) {
            assertUsage(command.equals("diff") ? "'A'" : "'IN'", command);
            assertUsage(command.equals("diff") ? "'B'" : "'OUT'", command, "x");
            assertUsage("Unmatched argument", command, "x", "y", "z");
        }
        assertUsage("--dtype is required", "convert", "x", "y");
        assertUsage("unknown dtype", "convert", "--dtype", "F17", "x", "y");
        assertUsage("--max-shard-size is required", "split", "x", "y");
        assertUsage("at least one byte", "split", "--max-shard-size", "0", "x", "y");
        assertUsage("is no size", "split", "--max-shard-size", "large", "x", "y");
        assertUsage("data alignment of 12 bytes", "align", "--alignment", "12", "x", "y");
        assertUsage("is no size", "merge", "--budget", "much", "x", "y");
        for (String command : COMMANDS) {
            assertUsage("--frobnicate", PAIRS.contains(command) ? new String[] {command, "x", "y", "--frobnicate"}
                    : new String[] {command, "--frobnicate", "x"});
        }
        assertUsage("not one of text, tsv, json", "ls", "--format", "xml", "x");
        assertUsage("--sha256", "ls", "--device", "cuda:0", "x");
        assertUsage("no device", "load", "--device", "C U D A", "x");
        assertUsage("no device", "ls", "--sha256", "--device", "cuda:x", "x");
        assertUsage("unknown dtype", "load", "--dtype", "F17", "x");
        assertUsage("is no size", "load", "--budget", "much", "x");
        assertUsage("budget of 0", "load", "--budget", "0", "x");
        assertUsage("is not a number", "load", "--readers", "some", "x");
        assertUsage("readers", "load", "--readers", "-3", "x");
        assertUsage("blocks", "load", "--block", "8GiB", "x");
        assertUsage("auto, always, never", "load", "--direct", "maybe", "x");
        assertUsage("auto, staged, mapped, direct", "load", "--transfer", "pigeon", "x");
        assertUsage("at least 1", "load", "--repeat", "0", "x");
        assertUsage("glob", "load", "--select", "[", "x");
        for (String rounds : List.of("0", "51", "-1")) {
            assertUsage("from 1 to 50", "bench", "--rounds", rounds, "x");
        }
        assertUsage("is not a number", "bench", "--rounds", "many", "x");
        assertUsage("no device", "bench", "--device", "C U D A", "x");
        assertUsage("two results", "bench", "compare", "x");
        assertUsage("two results", "bench", "compare", "x", "y", "z");
        assertUsage("does not belong to fst bench compare", "bench", "compare", "--device", "cpu", "x", "y");
        assertUsage("is not a path", "ls", "a\u0000b");
        assertUsage("a path is empty", "ls", "");
        assertUsage("a path is empty", "convert", "--dtype", "BF16", "x", "");
    }

    @Test
    void a_machine_or_file_that_says_no_is_status_1_and_one_line() {
        Path absent = directory.resolve("absent.safetensors");
        for (String command : List.of("ls", "load", "bench")) {
            Cli.Result result = Cli.run(command, absent);
            assertEquals(1, result.status());
            assertEquals(1, result.errors().size(), result.err());
            assertTrue(result.err().startsWith("fst " + command + ": ") && result.err().contains(absent.toString()),
                    result.err());
        }
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("a", 1));
        Cli.Result result = Cli.run("load", "--backend", "punchcards", file);
        assertEquals(1, result.status());
        assertEquals(1, result.errors().size(), result.err());
        assertTrue(result.err().contains("punchcards"), result.err());
    }

    @Test
    void the_stack_trace_is_there_for_those_who_ask() {
        Path absent = directory.resolve("absent.safetensors");
        assertFalse(Cli.run("load", absent).err().contains("\tat "));
        assertTrue(Cli.run("load", "--stacktrace", absent).err().contains("\tat io.fastsafetensors"));
        assertTrue(Cli.run("ls", absent, "--stacktrace").err().contains("\tat io.fastsafetensors"));
    }

    @Test
    void a_path_that_begins_like_an_argument_file_is_a_path() {
        Cli.Result result = Cli.run("verify", "--format", "tsv", "@absent");
        assertEquals("@absent", result.rows().getFirst().getFirst());
    }

    @Test
    void options_stand_anywhere_and_take_their_value_either_way() {
        Path file = Cli.write(directory.resolve("x.safetensors"), Cli.bytes("a", 1));
        Cli.Result expected = Cli.run("ls", "--format", "tsv", file);
        assertEquals(0, expected.status());
        assertEquals(expected, Cli.run("ls", file, "--format=tsv"));
        assertEquals(expected, Cli.run("ls", "--format=tsv", "--", file));
        Path other = Cli.write(directory.resolve("y.safetensors"), Cli.bytes("b", 1));
        assertEquals(Cli.run("ls", "--format", "tsv", file, other), Cli.run("ls", file, "--format", "tsv", other));
        assertUsage("Missing required parameter for option '--format'", "ls", "x", "--format");
        assertUsage("--sha256", "ls", "--sha256=yes", "x");
        assertUsage("only once", "ls", "--format=tsv", "--format=tsv", "x");
        assertUsage("Unmatched argument", "doctor", "x", "y");
        assertUsage("Unknown option: '-x'", "ls", "-x", "x");
        assertEquals(1, Cli.run("ls", "--", "-h").status(), "after -- a path is a path");
        assertEquals(1, Cli.run("ls", "--", "--format").status());
    }

    private static void assertUsage(String hint, String... args) {
        Cli.Result result = Cli.run((Object[]) args);
        assertEquals(2, result.status(), result.err());
        assertEquals("", result.out());
        assertEquals(1, result.errors().size(), result.err());
        assertTrue(result.err().contains(hint), result.err());
        assertFalse(result.err().contains("\u001b"), result.err());
    }
}

package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.types.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The command in a terminal, in pipes, and interrupted.
class TerminalTest {
    /// A build in the background of a script ignores SIGINT, and so does every process that it starts.
    private static final String INTERRUPTIBLE = "env --default-signal=INT,TERM ";

    @TempDir
    private Path directory;

    @BeforeEach
    void shell() {
        Prerequisite.BASH.require();
    }

    /// The command line that starts `fst`, for a shell.
    private static String fst(Object... args) {
        List<Object> words = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java"),
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), Main.class.getName()));
        words.addAll(List.of(args));
        return words.stream().map(word -> "'" + word + "'").collect(Collectors.joining(" "));
    }

    private static ChildProcess.Result shell(String script) {
        return ChildProcess.of("bash", "-c", script).run();
    }

    /// What a terminal of so many columns is sent. The log `typescript` in the test's directory grows with it.
    private String watched(int columns, String command) {
        Prerequisite.TERMINAL.require();
        Path commands = directory.resolve("commands.sh");
        try {
            Files.writeString(commands, "stty cols " + columns + " rows 24; " + command);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // The shell that `script` would take is the user's own, which need not be bash.
        return ChildProcess.of("script", "-qfec", "bash '" + commands + "'", directory.resolve("typescript"))
                .environment("TERM", "xterm").without("NO_COLOR").run().succeeded().out();
    }

    private Path checkpoint() {
        return Cli.write(directory.resolve("x.safetensors"),
                Cli.zeros("layer." + "x".repeat(300) + ".weight", DType.F32, 4),
                Cli.zeros("bias", DType.F32, 4));
    }

    @Test
    void tables_fit_terminals_of_every_width() {
        Path file = checkpoint();
        for (int columns : new int[] {40, 60, 80, 200}) {
            String text = watched(columns, fst("ls", file)).replaceAll("\u001b\\[[0-9;]*m", "");
            assertTrue(text.contains("lay") && text.contains("ight"), "both ends of a name: " + text);
            text.lines().forEach(line -> assertTrue(Width.of(line.stripTrailing()) <= columns, columns + ": " + line));
        }
    }

    @Test
    void figures_of_a_comparison_fit_terminals_of_every_width() throws IOException {
        Path a = Files.writeString(directory.resolve("a.txt"), BenchCompareTest.result(7, 1, 2));
        Path b = Files.writeString(directory.resolve("b.txt"), BenchCompareTest.result(7, 3, 2));
        for (int columns : new int[] {40, 80, 200}) {
            String text = watched(columns, fst("bench", "compare", a, b)).replaceAll("\u001b\\[[0-9;]*m", "");
            assertTrue(text.contains("3.000") && text.contains("faster"), text);
            text.lines().forEach(line -> assertTrue(Width.of(line.stripTrailing()) <= columns, columns + ": " + line));
        }
    }

    @Test
    void no_color_takes_colours_away_and_leaves_the_rest() {
        Path file = checkpoint();
        assertTrue(watched(80, fst("ls", file)).contains("\u001b["));
        String plain = watched(80, "NO_COLOR=1 " + fst("ls", file));
        assertFalse(plain.contains("\u001b["), plain);
        assertTrue(plain.contains("…"), "it still fits the terminal: " + plain);
    }

    @Test
    void no_escape_reaches_a_file_or_a_pipe() throws IOException {
        Path out = directory.resolve("large.safetensors");
        Path log = directory.resolve("log");
        // Standard output is the terminal, standard error is not.
        watched(80, fst("load", checkpoint()) + " 2>" + log);
        assertEquals("", Files.readString(log));
        ChildProcess.Result piped = shell(fst("convert", checkpoint(), out, "--dtype", "bfloat16") + " 2>&1 | cat");
        assertFalse(piped.output().contains("\u001b"), piped::toString);
    }

    @Test
    void a_reader_that_has_seen_enough_is_no_error() {
        Path many = Cli.write(directory.resolve("many.safetensors"), Stream.iterate(0, i -> i + 1).limit(20_000)
                .map(i -> Cli.zeros("t" + i, DType.U8, 0)).toArray(TensorSource[]::new));
        ChildProcess.Result result = shell(fst("ls", many) + " | head -1; echo ${PIPESTATUS[0]}");
        assertEquals(2, result.lines().size(), result::toString);
        assertEquals("0", result.lines().getLast());
        assertEquals("", result.err());
    }

    @Test
    void an_output_that_cannot_be_written_is_an_error() {
        ChildProcess.Result result = shell(fst("ls", checkpoint()) + " >/dev/full");
        assertEquals(1, result.status(), result::toString);
        assertTrue(result.err().startsWith("fst: cannot write the output: "), result.err());
    }

    @Test
    void an_interrupted_rewrite_leaves_no_temporary_file() throws Exception {
        Path in = Cli.write(directory.resolve("in.safetensors"), Cli.zeros("w", DType.F32, 64 << 20));
        Path folder = Files.createDirectory(directory.resolve("out"));
        for (List<String> ending : List.of(List.of("INT", "130"), List.of("TERM", "143"))) {
            String convert = INTERRUPTIBLE + fst("convert", in, folder.resolve("y.safetensors"), "--dtype", "F64");
            // The writer is stopped as soon as its temporary file is there. On a loaded machine a process for each look,
            // be it to sleep, takes longer than the writer.
            ChildProcess.Result result = shell("set -m; " + convert + " & until compgen -G '" + folder
                    + "/.*.fst-tmp' >/dev/null || ((SECONDS > 100)); do :; done; "
                    + "kill -" + ending.getFirst() + " %1; wait %1; echo \"status $?\"");
            assertTrue(result.out().contains("status " + ending.getLast()), result::toString);
            try (Stream<Path> left = Files.list(folder)) {
                assertEquals(List.of(), left.toList(), result::toString);
            }
        }
    }

    @Test
    void an_interrupted_command_leaves_the_cursor_on_a_line_of_its_own() throws Exception {
        Path in = Cli.write(directory.resolve("in.safetensors"), Cli.zeros("w", DType.F32, 64 << 20));
        Path out = directory.resolve("y.safetensors");
        String text = watched(80,
                "set -m; " + INTERRUPTIBLE + fst("convert", in, out, "--dtype", "F64") + " & until [[ $(<'"
                        + directory.resolve("typescript")
                        + "') == *%* ]] || ((SECONDS > 100)); do :; done; "
                        + "kill -INT %1; wait %1; echo \"status $?\"");
        assertTrue(text.contains("status 130"), text);
        assertFalse(text.substring(text.lastIndexOf("\r\u001b[J")).contains("%"), text);
    }
}

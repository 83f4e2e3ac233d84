package io.fastsafetensors.test;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;

/// A process that a test starts: any command, or a Java program with this JVM's Java and class path.
///
/// [#run()] waits for its end and returns what it printed; [#start()] leaves it running. Either way it has a limit of time,
/// after which it and every process below it is killed and the test fails with what was printed until then. It inherits
/// this process's environment, except the variables by which a JVM gets options and says so. Not thread-safe.
public final class ChildProcess {
    private static final Duration LIMIT = Duration.ofMinutes(4);

    private final List<String> prefix = new ArrayList<>();
    private final List<String> options = new ArrayList<>();
    private final List<String> command;
    private final boolean java;
    private final Map<String, String> environment = new TreeMap<>(System.getenv());
    private Optional<Path> directory = Optional.empty();
    private String classPath = System.getProperty("java.class.path");
    private Duration limit = LIMIT;

    private ChildProcess(List<String> command, boolean java) {
        this.command = command;
        this.java = java;
        without("JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS");
    }

    /// A command.
    ///
    /// @param command the program and its arguments, as their texts
    public static ChildProcess of(Object... command) {
        return new ChildProcess(texts(command), false);
    }

    /// A Java program, which may make restricted calls.
    ///
    /// @param program has the `main` method
    /// @param arguments its arguments, as their texts
    public static ChildProcess java(Class<?> program, Object... arguments) {
        List<String> command = texts(arguments);
        command.addFirst(program.getName());
        return new ChildProcess(command, true).options("--enable-native-access=ALL-UNNAMED");
    }

    /// Java with arguments of the test's own, main class included; no class path and no options besides.
    public static ChildProcess java(List<String> arguments) {
        List<String> command = new ArrayList<>(arguments);
        command.addFirst(javaCommand());
        return new ChildProcess(command, false);
    }

    private static String javaCommand() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private static List<String> texts(Object... words) {
        return new ArrayList<>(Arrays.stream(words).map(Object::toString).toList());
    }

    /// Adds options of the JVM.
    public ChildProcess options(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    /// Takes this option of the JVM away again.
    public ChildProcess withoutOption(String option) {
        options.remove(option);
        return this;
    }

    /// Replaces this JVM's class path, of a Java program.
    public ChildProcess classPath(String path) {
        this.classPath = path;
        return this;
    }

    /// Puts words in front: a program that runs the command which follows it.
    public ChildProcess under(List<String> words) {
        prefix.addAll(0, words);
        return this;
    }

    /// Sets a variable of the environment.
    public ChildProcess environment(String name, Object value) {
        environment.put(name, value.toString());
        return this;
    }

    /// Sets variables of the environment.
    public ChildProcess environment(Map<String, String> variables) {
        environment.putAll(variables);
        return this;
    }

    /// Removes the variables whose names match.
    public ChildProcess without(String names) {
        environment.keySet().removeIf(name -> name.matches(names));
        return this;
    }

    /// The directory in which it runs; this process's unless set.
    public ChildProcess directory(Path folder) {
        this.directory = Optional.of(folder);
        return this;
    }

    /// The longest that it may take: 4 minutes unless set.
    public ChildProcess limit(Duration longest) {
        this.limit = longest;
        return this;
    }

    /// Runs it to its end.
    ///
    /// @throws UncheckedIOException if it cannot be started
    public Result run() {
        try (Running running = start()) {
            return running.end();
        }
    }

    /// Starts it.
    ///
    /// @throws UncheckedIOException if it cannot be started
    public Running start() {
        List<String> words = new ArrayList<>(prefix);
        if (java) {
            words.add(javaCommand());
            words.addAll(options);
            words.addAll(List.of("-cp", classPath));
        }
        words.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(words);
        builder.environment().clear();
        builder.environment().putAll(environment);
        directory.ifPresent(folder -> builder.directory(folder.toFile()));
        try {
            return new Running(words, builder.start(), limit);
        } catch (IOException e) {
            throw new UncheckedIOException(words.getFirst() + " cannot be started: " + e.getMessage(), e);
        }
    }

    /// Why a command cannot be run, or what it said where it failed; empty where it succeeds.
    static Optional<String> problem(String... command) {
        try {
            Result result = of((Object[]) command).limit(Duration.ofMinutes(1)).run();
            return result.status == 0 ? Optional.empty()
                    : Optional.of(command[0] + " fails: " + result.output().strip());
        } catch (UncheckedIOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /// A process that has ended.
    ///
    /// @param command what was run
    /// @param status its exit status; 128 and the signal's number where a signal ended it
    /// @param out what it printed
    /// @param err what it printed to the standard error
    public record Result(List<String> command, int status, String out, String err) {
        /// Copies the command.
        public Result {
            command = List.copyOf(command);
        }

        /// This, which must have ended with that status.
        public Result withStatus(int expected) {
            Assertions.assertEquals(expected, status, this::toString);
            return this;
        }

        /// This, which must have succeeded.
        public Result succeeded() {
            return withStatus(0);
        }

        /// Everything that it printed: the standard output, then the standard error.
        public String output() {
            return out + err;
        }

        /// The lines of [#output()].
        public List<String> lines() {
            return output().lines().toList();
        }

        /// For messages: what was run, how it ended, and what it printed.
        @Override
        public String toString() {
            return describe(command, "ended with status " + status, out, err);
        }
    }

    /// A process that runs. Closing kills what is left of it and below it.
    public static final class Running implements AutoCloseable {
        private final List<String> command;
        private final Process process;
        private final long deadline;
        private final Reading out;
        private final Reading err;

        private Running(List<String> command, Process process, Duration limit) {
            this.command = command;
            this.process = process;
            this.deadline = System.nanoTime() + limit.toNanos();
            this.out = new Reading(process.inputReader(StandardCharsets.UTF_8));
            this.err = new Reading(process.errorReader(StandardCharsets.UTF_8));
        }

        /// Whether it has not ended yet.
        public boolean isAlive() {
            return process.isAlive();
        }

        /// Waits until it has printed this line.
        public void awaitLine(String line) {
            if (!out.awaitLine(line, deadline)) {
                throw failure("did not print \"" + line + "\"");
            }
        }

        /// Kills it, by a signal that it cannot catch.
        public void kill() {
            process.destroyForcibly();
        }

        /// Waits for its end, and for the end of its output.
        public Result end() {
            try {
                if (!process.waitFor(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                    throw failure("did not end in time");
                }
            } catch (InterruptedException e) {
                close();
                Thread.currentThread().interrupt();
                throw new AssertionError("interrupted while waiting for " + String.join(" ", command), e);
            }
            if (!out.awaitEnd(deadline) || !err.awaitEnd(deadline)) {
                throw failure("ended, and another process still writes to its output");
            }
            return new Result(command, process.exitValue(), out.text(), err.text());
        }

        private AssertionError failure(String what) {
            close();
            return new AssertionError(describe(command, what, out.text(), err.text()));
        }

        @Override
        public void close() {
            try (Stream<ProcessHandle> below = process.descendants()) {
                List<ProcessHandle> all = below.toList();
                process.destroyForcibly();
                all.forEach(ProcessHandle::destroyForcibly);
            }
        }
    }

    private static String describe(List<String> command, String what, String out, String err) {
        return String.join(" ", command) + "\n" + what + "; it printed:\n" + out
                + (err.isEmpty() ? "" : "\nand to the standard error:\n" + err);
    }

    /// Collects an output on a thread of its own, so that no pipe fills up.
    private static final class Reading {
        private final StringBuilder text = new StringBuilder();
        private boolean ended;

        Reading(BufferedReader reader) {
            Thread.ofPlatform().daemon().name("child-output").start(() -> read(reader));
        }

        private void read(Reader reader) {
            char[] block = new char[1 << 13];
            try (reader) {
                for (int n = reader.read(block); n >= 0; n = reader.read(block)) {
                    append(new String(block, 0, n));
                }
            } catch (IOException e) {
                // A killed process takes its pipe along; what it printed before counts.
                append("");
            } finally {
                end();
            }
        }

        private synchronized void append(String more) {
            text.append(more);
            notifyAll();
        }

        private synchronized void end() {
            ended = true;
            notifyAll();
        }

        synchronized String text() {
            return text.toString();
        }

        /// @return whether the line came
        synchronized boolean awaitLine(String line, long deadline) {
            return await(() -> ended || hasLine(line), deadline) && hasLine(line);
        }

        /// @return whether the output ended
        synchronized boolean awaitEnd(long deadline) {
            return await(() -> ended, deadline);
        }

        private boolean hasLine(String line) {
            return text.toString().lines().anyMatch(line::equals);
        }

        private synchronized boolean await(BooleanSupplier condition, long deadline) {
            try {
                while (!condition.getAsBoolean()) {
                    long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                    if (left <= 0) {
                        return false;
                    }
                    wait(left);
                }
                return true;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
    }
}

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.TransferPath;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Other processes: how long one takes, and what it prints.
final class Programs {
    /// One finished program.
    ///
    /// @param startedAt seconds since 1970 when it was started
    /// @param seconds from its start to its end
    /// @param metrics its output: a name, a tab and a value a line
    record Finished(double startedAt, double seconds, Map<String, String> metrics) {
        /// A metric as a number.
        ///
        /// @throws IllegalStateException if the program did not print it
        double number(String name) {
            String value = metrics.get(name);
            if (value == null) {
                throw new IllegalStateException("no metric " + name + " in " + metrics);
            }
            return Double.parseDouble(value);
        }
    }

    private Programs() {
    }

    /// Runs a command to its end. What it says on standard error is passed on.
    ///
    /// @throws IllegalStateException if it cannot be started or fails
    static Finished run(List<String> command) {
        try {
            double startedAt = System.currentTimeMillis() / 1e3;
            long start = System.nanoTime();
            Process process = new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int status = process.waitFor();
            double seconds = (System.nanoTime() - start) / 1e9;
            if (status != 0) {
                throw new IllegalStateException(
                        String.join(" ", command) + " ended with status " + status + ", and what it said is above");
            }
            Map<String, String> metrics = new HashMap<>();
            output.lines().map(line -> line.split("\t", 2)).filter(pair -> pair.length == 2)
                    .forEach(pair -> metrics.put(pair[0], pair[1]));
            return new Finished(startedAt, seconds, metrics);
        } catch (IOException e) {
            throw new IllegalStateException(command.getFirst() + " cannot be run: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    /// Loads a checkpoint in a Java process of its own, on this process's class path.
    static Finished firstLoad(BenchSettings settings, Path checkpoint, TransferPath transfer) {
        return run(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC",
                "-Xmx512m", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                FirstLoad.class.getName(), settings.device().toString(), settings.backend().orElse("-"),
                checkpoint.toString(), transfer.name()));
    }
}

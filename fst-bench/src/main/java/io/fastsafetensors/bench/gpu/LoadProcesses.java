package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.cli.Samples;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/// Processes with a device each, which load at the same time: what one process with several devices is compared with. Measured
/// as [SharedArm] is, from the common start to the last one's end. Used by one thread.
final class LoadProcesses implements AutoCloseable {
    private static final int GOODBYE_SECONDS = 20;

    private final Samples samples;
    private final List<Worker> workers = new ArrayList<>();

    private record Worker(Process process, BufferedWriter in, BufferedReader out) {
    }

    /// @param name of the arm
    /// @param devices one for each process
    /// @param readers of each process, 0 for its own choice
    /// @param blockBytes of each process, 0 for its own choice
    /// @param files what each process loads
    LoadProcesses(String name, List<String> devices, Optional<String> backend, int readers, int blockBytes,
            IntFunction<List<Path>> files) {
        this.samples = new Samples(name, "GB/s");
        for (int i = 0; i < devices.size(); i++) {
            List<String> command = new ArrayList<>(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx1g",
                    "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                    LoadWorker.class.getName(), devices.get(i), backend.orElse("-"), Integer.toString(readers),
                    Integer.toString(blockBytes)));
            files.apply(i).forEach(file -> command.add(file.toString()));
            workers.add(start(command));
        }
    }

    private static Worker start(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
            return new Worker(process,
                    new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8)),
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Loads by every process, not measured: as many as [SharedArm] does.
    void warmUp() {
        for (int i = 0; i < LoadRun.WARM_UPS; i++) {
            load();
            CopyLimit.awaitIdleDevice();
        }
    }

    /// One load by every process, after one that is not measured, as with [SharedArm].
    ///
    /// @param bytes what they load together
    void measure(long bytes) {
        load();
        CopyLimit.awaitIdleDevice();
        long start = System.nanoTime();
        load();
        samples.add(bytes / 1e9 / ((System.nanoTime() - start) / 1e9));
        CopyLimit.awaitIdleDevice();
    }

    private void load() {
        try {
            for (Worker worker : workers) {
                worker.in.write("load\n");
                worker.in.flush();
            }
            for (Worker worker : workers) {
                String answer = worker.out.readLine();
                if (!"done".equals(answer)) {
                    throw new IllegalStateException("a process that loads ended; what it said is above");
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Samples samples() {
        return samples;
    }

    /// Ends the processes.
    @Override
    public void close() {
        for (Worker worker : workers) {
            try {
                worker.in.close();
                if (!worker.process.waitFor(GOODBYE_SECONDS, TimeUnit.SECONDS)) {
                    worker.process.destroyForcibly();
                }
            } catch (IOException e) {
                worker.process.destroyForcibly();
            } catch (InterruptedException e) {
                worker.process.destroyForcibly();
                Thread.currentThread().interrupt();
            }
        }
    }
}

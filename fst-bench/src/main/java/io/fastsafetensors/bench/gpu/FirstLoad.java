package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.cli.ProcessMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The one load of a process of its own; prints a metric a line, as `fst load --format tsv` does.
///
/// Arguments: the device, the backend or `-`, the checkpoint, the [TransferPath].
public final class FirstLoad {
    private FirstLoad() {
    }

    /// Runs it.
    public static void main(String[] args) throws IOException {
        LoaderBuilder builder = Loader.builder().device(args[0]).transferPath(TransferPath.valueOf(args[3]));
        if (!args[1].equals("-")) {
            builder.backend(args[1]);
        }
        Path path = Path.of(args[2]);
        long start = System.nanoTime();
        try (Loader loader = builder.build()) {
            double build = (System.nanoTime() - start) / 1e9;
            // 5: forget the peak so far (proc_pid_clear_refs(5)); opening the device may have needed more than the load.
            Files.writeString(Path.of("/proc/self/clear_refs"), "5");
            long resident = ProcessMemory.residentBytes();
            LoadRun run = LoadRun.of(loader, path);
            metric("bytes", run.stats().bytes());
            metric("seconds_build", build);
            metric("seconds_load", run.seconds());
            metric("cpu_seconds", run.cpuSeconds());
            metric("resident_growth", ProcessMemory.peakResidentBytes() - resident);
            metric("staging_bytes", run.stats().stagingBytes());
        }
    }

    private static void metric(String name, double value) {
        System.out.println(name + "\t" + value);
    }
}

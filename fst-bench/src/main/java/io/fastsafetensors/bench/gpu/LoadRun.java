package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;

/// One load.
///
/// @param seconds from the call of `load` to the return of `awaitAll`
/// @param cpuSeconds what the process used of all cores meanwhile
/// @param stats what the loader says
record LoadRun(double seconds, double cpuSeconds, LoadStats stats) {
    /// Loads a checkpoint, then closes it.
    static LoadRun of(Loader loader, Path checkpoint) {
        long cpu = cpuNanos();
        long start = System.nanoTime();
        try (Weights weights = loader.load(checkpoint)) {
            weights.awaitAll();
            double seconds = (System.nanoTime() - start) / 1e9;
            return new LoadRun(seconds, (cpuNanos() - cpu) / 1e9, weights.stats());
        }
    }

    /// File bytes of the tensors by time, in GB/s.
    double rate() {
        return stats.bytes() / 1e9 / seconds;
    }

    private static long cpuNanos() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }
}

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.CopyLimit;
import java.lang.management.ManagementFactory;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;

/// One load.
///
/// @param seconds from the call of `load` to the return of `awaitAll`
/// @param cpuSeconds what the process used of all cores meanwhile
/// @param stats what the loader says
record LoadRun(double seconds, double cpuSeconds, LoadStats stats) {
    /// Loads that go before the first measured one, where what is compared with has no code to be compiled, or less: as in a
    /// process that has loaded for a second.
    static final int WARM_UPS = 5;

    /// Loads a checkpoint, closes it, and waits until the device is idle again.
    static LoadRun of(Loader loader, Path checkpoint) {
        return of(loader, Location.of(checkpoint));
    }

    /// As [#of(Loader, Path)], from anywhere.
    static LoadRun of(Loader loader, Location checkpoint) {
        LoadRun run = andGoOn(loader, checkpoint);
        CopyLimit.awaitIdleDevice();
        return run;
    }

    /// Loads a checkpoint and closes it.
    static LoadRun andGoOn(Loader loader, Path checkpoint) {
        return andGoOn(loader, Location.of(checkpoint));
    }

    private static LoadRun andGoOn(Loader loader, Location checkpoint) {
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

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.DeviceBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// Loads that share a device: two at once by one loader beside one alone, and what stays of them when they are closed.
final class TogetherSection implements Section {
    private static final double MIB = 1 << 20;
    private static final long ALIGNMENT = 4096;
    /// A driver's own needs: what cannot be allocated of what is free.
    private static final double ALLOCATED = 0.97;

    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        Report report = bench.report();
        Samples alone = new Samples("load, alone, in turns with two at once", "GB/s");
        Samples both = new Samples("two loads at once, sum", "GB/s");
        long before = bench.backend().memory().free();
        try (Loader loader = bench.builder().build(); ExecutorService threads = Executors.newFixedThreadPool(2)) {
            for (int i = -LoadRun.WARM_UPS; i < bench.settings().rounds(); i++) {
                double one = LoadRun.of(loader, path).rate();
                double two = two(threads, loader, path);
                if (i >= 0) {
                    alone.add(one);
                    both.add(two);
                }
            }
            LoadRun run = LoadRun.of(loader, path);
            long kept = before - bench.backend().memory().free();
            report.row("device memory kept after close", "≤ what two loads took",
                    Report.number(kept / MIB) + " MiB, " + Report.number(run.stats().bytes() / MIB) + " MiB a load",
                    kept <= 2.1 * run.stats().bytes());
            report.row("another allocation of all free memory, with memory kept", "succeeds", allocateAll(bench), true);
        }
        report.arm(alone);
        report.arm(both);
        report.atLeast("two loads to one device at once, sum: of one alone", 0.95, both.median() / alone.median(), "");
    }

    /// Bytes of both by the time from the start of the first to the end of the last, in GB/s.
    private static double two(ExecutorService threads, Loader loader, Path path) {
        CountDownLatch ready = new CountDownLatch(2);
        Future<LoadRun> first = threads.submit(() -> meet(ready, loader, path));
        Future<LoadRun> second = threads.submit(() -> meet(ready, loader, path));
        try {
            long bytes = 0;
            double seconds = 0;
            for (Future<LoadRun> each : List.of(first, second)) {
                LoadRun run = each.get();
                bytes += run.stats().bytes();
                seconds = Math.max(seconds, run.seconds());
            }
            CopyLimit.awaitIdleDevice();
            return bytes / 1e9 / seconds;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("one of two loads at once failed", e);
        }
    }

    private static LoadRun meet(CountDownLatch ready, Loader loader, Path path) throws InterruptedException {
        ready.countDown();
        ready.await();
        return LoadRun.andGoOn(loader, path);
    }

    /// Takes what the device says is free, by a backend that shares nothing with the loader.
    private static String allocateAll(Bench bench) {
        long free = bench.backend().memory().free();
        long bytes = (long) (free * ALLOCATED) / ALIGNMENT * ALIGNMENT;
        try (DeviceBuffer buffer = bench.backend().allocate(bytes, ALIGNMENT)) {
            return Report.number(buffer.byteSize() / MIB) + " MiB at once";
        } catch (OutOfDeviceMemoryException e) {
            throw new IllegalStateException("what is kept is in the way of " + bytes + " of " + free + " free bytes",
                    e);
        }
    }
}

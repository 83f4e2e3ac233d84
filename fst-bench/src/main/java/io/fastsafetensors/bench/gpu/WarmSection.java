package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;

/// The plain case: everything in the page cache, slots page-locked already.
final class WarmSection implements Section {
    private static final int WARM_UP = 2;

    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        Samples limit = new Samples("pinned copy, host to device", "GB/s");
        Samples load = new Samples("load, page cache and slots warm", "GB/s");
        Samples first = new Samples("first tensor, page cache and slots warm", "ms");
        Samples again = new Samples("load at once after one of that size was closed", "GB/s");
        Samples cpu = new Samples("CPU time of a load, page cache and slots warm", "s");
        long staging = 0;
        try (CopyLimit copies = bench.copyLimit(); Loader loader = bench.builder().build()) {
            for (int i = 0; i < WARM_UP; i++) {
                LoadRun.of(loader, path);
            }
            for (int i = 0; i < bench.settings().rounds(); i++) {
                limit.add(copies.measure());
                LoadRun run = LoadRun.of(loader, path);
                load.add(run.rate());
                first.add(run.stats().secondsFirstTensor() * 1e3);
                cpu.add(run.cpuSeconds());
                staging = Math.max(staging, run.stats().stagingBytes());
                LoadRun.andGoOn(loader, path);
                again.add(LoadRun.of(loader, path).rate());
            }
        }
        Report report = bench.report();
        report.arm(limit);
        report.arm(load);
        report.arm(again);
        report.arm(first);
        report.arm(cpu);
        report.atLeast("after a pause, slots warm: of the pinned copy", 0.96, load.median() / limit.median(), "");
        report.atLeast("right after a close: of the pinned copy", 0.96, again.median() / limit.median(), "");
        report.atMost("first tensor usable, slots warm", 15, first.median(), " ms");
        report.atMost("page-locked memory", 192, staging / (double) (1 << 20), " MiB");
    }
}

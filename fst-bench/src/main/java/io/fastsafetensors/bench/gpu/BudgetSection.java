package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.cli.Sizes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Streams under budgets from 5 % of the checkpoint to all of it, beside a load without one: memory and speed. The
/// consumer hands every tensor back at once.
final class BudgetSection implements Section {
    private static final int[] PERCENT = {5, 10, 15, 25, 50, 75, 100};
    private static final int BAR_PERCENT = 25;
    private static final double BAR = 0.85;
    private static final int TENSORS = 400;

    @Override
    public void run(Bench bench) {
        Path path = bench.checkpoints().small(TENSORS);
        Checkpoints.sync(path);
        for (boolean cold : new boolean[] {false, true}) {
            measure(bench, path, cold);
        }
        Checkpoints.delete(path);
    }

    private static void measure(Bench bench, Path path, boolean cold) {
        String state = cold ? "cold" : "warm";
        Samples unbounded = new Samples("load without a budget, page cache " + state, "GB/s");
        List<Samples> streams = new ArrayList<>();
        List<Long> peaks = new ArrayList<>();
        for (int percent : PERCENT) {
            streams.add(new Samples("stream under " + percent + " %, page cache " + state, "GB/s"));
            peaks.add(0L);
        }
        try (Loader loader = bench.builder().build()) {
            LoadRun.of(loader, path);
            for (int round = 0; round < bench.settings().rounds(); round++) {
                prepare(path, cold);
                unbounded.add(LoadRun.of(loader, path).rate());
                for (int i = 0; i < PERCENT.length; i++) {
                    prepare(path, cold);
                    try (Loader bounded = bench.builder().deviceBudget(budget(bench, PERCENT[i])).build()) {
                        // Slots of this loader are made before the clock starts, as the other one's were.
                        stream(bounded, path, true);
                        prepare(path, cold);
                        long start = System.nanoTime();
                        LoadStats stats = stream(bounded, path, false);
                        streams.get(i).add(stats.bytes() / 1e9 / ((System.nanoTime() - start) / 1e9));
                        peaks.set(i, Math.max(peaks.get(i), stats.deviceBytes()));
                    }
                }
            }
        }
        report(bench, state, unbounded, streams, peaks);
        if (!cold) {
            bench.report().fact("device memory seen from outside, under 25 %", outside(bench, path));
        }
    }

    private static void prepare(Path path, boolean cold) {
        if (cold) {
            PageCacheState.cold(path);
        } else {
            PageCacheState.warm(path);
        }
    }

    private static long budget(Bench bench, int percent) {
        return bench.settings().bytes() / 100 * percent;
    }

    /// @param first whether one tensor is enough
    private static LoadStats stream(Loader loader, Path path, boolean first) {
        try (TensorStream stream = loader.stream(path, StreamOptions.defaults())) {
            for (Tensor tensor : stream) {
                tensor.close();
                if (first) {
                    break;
                }
            }
            return stream.stats();
        }
    }

    private static String outside(Bench bench, Path path) {
        long budget = budget(bench, BAR_PERCENT);
        try (Loader loader = bench.builder().deviceBudget(budget).build();
                MemoryWatch watch = new MemoryWatch(bench.backend())) {
            stream(loader, path, false);
            return Sizes.human(watch.peak()) + " at most beyond what was in use, of " + Sizes.human(budget)
                    + (bench.settings().device().isCpu() ? " (of the whole machine's memory)" : "");
        }
    }

    private static void report(Bench bench, String state, Samples unbounded, List<Samples> streams,
            List<Long> peaks) {
        Report report = bench.report();
        report.arm(unbounded);
        streams.forEach(report::arm);
        for (int i = 0; i < PERCENT.length; i++) {
            double ratio = streams.get(i).median() / unbounded.median();
            if (PERCENT[i] == BAR_PERCENT) {
                report.atLeast("stream under 25 %, " + state + ": of the load without a budget", BAR, ratio, "");
            } else {
                report.fact("stream under " + PERCENT[i] + " %, " + state + ": of the load without a budget",
                        Report.number(ratio));
            }
            report.atMost("stream under " + PERCENT[i] + " %, " + state + ": device bytes of the budget", 1,
                    (double) peaks.get(i) / budget(bench, PERCENT[i]), "");
        }
    }
}

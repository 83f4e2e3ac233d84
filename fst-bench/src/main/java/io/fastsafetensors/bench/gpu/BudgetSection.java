package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.bench.Baselines;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.cli.Sizes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Streams under budgets from 5 % of the checkpoint to all of it, beside a load without one: memory and speed. The
/// consumer hands every tensor back at once. With a cold page cache, where the disk sets the pace, under 25 % alone.
final class BudgetSection implements Section {
    private static final int[] PERCENT = {5, 10, 15, 25, 50, 75, 100};
    private static final int BAR_PERCENT = 25;
    private static final double BAR = 0.85;
    private static final int TENSORS = 400;

    @Override
    public void run(Bench bench) {
        Path path = bench.checkpoints().small(TENSORS);
        Checkpoints.sync(path);
        measure(bench, path, false, PERCENT);
        measure(bench, path, true, BAR_PERCENT);
        Checkpoints.delete(path);
    }

    private static void measure(Bench bench, Path path, boolean cold, int... percents) {
        String state = cold ? "cold" : "warm";
        Samples unbounded = new Samples("load without a budget, page cache " + state, "GB/s");
        List<Samples> streams = new ArrayList<>();
        List<Long> peaks = new ArrayList<>();
        for (int percent : percents) {
            streams.add(new Samples("stream under " + percent + " %, page cache " + state, "GB/s"));
            peaks.add(0L);
        }
        try (Loader loader = bench.builder().build()) {
            LoadRun.of(loader, path);
            for (int round = 0; round < bench.settings().rounds(); round++) {
                prepare(bench, path, cold);
                unbounded.add(LoadRun.of(loader, path).rate());
                for (int i = 0; i < percents.length; i++) {
                    // The slots are those of the open loader.
                    try (Loader bounded = bench.builder().deviceBudget(budget(bench, percents[i])).build()) {
                        prepare(bench, path, cold);
                        long start = System.nanoTime();
                        LoadStats stats = stream(bounded, path);
                        streams.get(i).add(stats.bytes() / 1e9 / ((System.nanoTime() - start) / 1e9));
                        peaks.set(i, Math.max(peaks.get(i), stats.deviceBytes()));
                    }
                }
            }
        }
        report(bench, state, unbounded, streams, peaks, percents);
        if (!cold) {
            bench.report().fact("device memory seen from outside, under 25 %", outside(bench, path));
        }
    }

    private static void prepare(Bench bench, Path path, boolean cold) {
        if (bench.settings().device().isCpu()) {
            Baselines.prewarm(bench.settings().bytes());
        }
        if (cold) {
            PageCacheState.cold(path);
        } else {
            PageCacheState.warm(path);
        }
    }

    private static long budget(Bench bench, int percent) {
        return bench.settings().bytes() / 100 * percent;
    }

    private static LoadStats stream(Loader loader, Path path) {
        try (TensorStream stream = loader.stream(path, StreamOptions.defaults())) {
            for (Tensor tensor : stream) {
                tensor.close();
            }
            return stream.stats();
        }
    }

    private static String outside(Bench bench, Path path) {
        long budget = budget(bench, BAR_PERCENT);
        try (Loader loader = bench.builder().deviceBudget(budget).build();
                MemoryWatch watch = new MemoryWatch(bench.backend())) {
            stream(loader, path);
            return Sizes.human(watch.peak()) + " at most beyond what was in use, of " + Sizes.human(budget)
                    + (bench.settings().device().isCpu() ? " (of the whole machine's memory)" : "");
        }
    }

    private static void report(Bench bench, String state, Samples unbounded, List<Samples> streams,
            List<Long> peaks, int... percents) {
        Report report = bench.report();
        report.arm(unbounded);
        streams.forEach(report::arm);
        for (int i = 0; i < percents.length; i++) {
            double ratio = streams.get(i).median() / unbounded.median();
            if (percents[i] == BAR_PERCENT) {
                report.atLeast("stream under 25 %, " + state + ": of the load without a budget", BAR, ratio, "");
            } else {
                report.fact("stream under " + percents[i] + " %, " + state + ": of the load without a budget",
                        Report.number(ratio));
            }
            report.atMost("stream under " + percents[i] + " %, " + state + ": device bytes of the budget", 1,
                    (double) peaks.get(i) / budget(bench, percents[i]), "");
        }
    }
}

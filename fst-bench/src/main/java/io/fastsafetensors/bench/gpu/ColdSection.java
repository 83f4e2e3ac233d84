package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;

/// Storage: nothing cached, beside the best that the disk gives, and half of it cached.
final class ColdSection implements Section {
    private static final long SAMPLE = 1L << 30;
    /// A load of half-cached files may take this much longer than its parts one after the other.
    private static final double CLIFF = 1.1;

    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        PageCacheState.cold(path);
        DirectReadRate.Way way = DirectReadRate.best(path, SAMPLE);
        Samples disk = new Samples("direct reads, " + way.threads() + " threads × " + (way.block() >> 20)
                + " MiB (best of a sweep)", "GB/s");
        Samples cold = new Samples("load, page cache cold", "GB/s");
        Samples half = new Samples("load, every other stretch of 64 MiB cached", "GB/s");
        Samples warm = new Samples("load, page cache warm, after the cold ones", "GB/s");
        Samples before = new Samples("cached before the cold load", "of the files");
        Samples cached = new Samples("cached before the half-cached load", "of the files");
        try (Loader loader = bench.builder().build()) {
            LoadRun.of(loader, path);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                PageCacheState.cold(path);
                disk.add(DirectReadRate.read(path, way, Long.MAX_VALUE));
                before.add(PageCacheState.cachedFraction(path));
                PageCacheState.cold(path);
                cold.add(LoadRun.of(loader, path).rate());
                PageCacheState.half(path);
                cached.add(PageCacheState.cachedFraction(path));
                half.add(LoadRun.of(loader, path).rate());
            }
            PageCacheState.warm(path);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                warm.add(LoadRun.of(loader, path).rate());
            }
        }
        Report report = bench.report();
        report.arm(disk);
        report.arm(cold);
        report.arm(half);
        report.arm(warm);
        report.arm(before);
        report.arm(cached);
        report.atLeast("cold disk, O_DIRECT: of the best direct read", 0.95, cold.median() / disk.median(), "");
        double share = cached.median();
        double proportional = 1 / (share / warm.median() + (1 - share) / cold.median());
        boolean between = half.median() >= proportional / CLIFF;
        report.row("half of the pages cached", "≥ " + Report.number(proportional / CLIFF) + " GB/s (cold "
                + Report.number(cold.median()) + ", warm " + Report.number(warm.median()) + ", in proportion "
                + Report.number(proportional) + ")", Report.number(half.median()) + " GB/s", between);
    }
}

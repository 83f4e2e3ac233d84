package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;

/// A mapping of the files that stays registered: the same checkpoint again and again, in turns with staged loads. What
/// is registered stays in the page cache, so nothing after this section may want it cold.
final class MappedSection implements Section {
    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        Samples limit = new Samples("pinned copy, in turns with mapped", "GB/s");
        Samples staged = new Samples("load, staged, in turns with mapped", "GB/s");
        Samples stagedCpu = new Samples("CPU time of a staged load", "s");
        Samples mapped = new Samples("load, mapping kept registered", "GB/s");
        Samples mappedCpu = new Samples("CPU time of a load from a kept mapping", "s");
        Samples once = new Samples("load, mapped, first of its process", "GB/s");
        try (CopyLimit copies = bench.copyLimit();
                Loader slots = bench.builder().transferPath(TransferPath.STAGED).build();
                Loader mapping = bench.builder().transferPath(TransferPath.MAPPED).build()) {
            LoadRun.of(slots, path);
            LoadRun.of(mapping, path);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                limit.add(copies.measure());
                LoadRun first = LoadRun.of(slots, path);
                staged.add(first.rate());
                stagedCpu.add(first.cpuSeconds());
                LoadRun second = LoadRun.of(mapping, path);
                mapped.add(second.rate());
                mappedCpu.add(second.cpuSeconds());
            }
        }
        for (int i = 0; i < bench.settings().rounds(); i++) {
            Programs.Finished run = Programs.firstLoad(bench.settings(), path, TransferPath.MAPPED);
            once.add(run.number("bytes") / 1e9 / run.number("seconds_load"));
        }
        Report report = bench.report();
        report.arm(limit);
        report.arm(staged);
        report.arm(stagedCpu);
        report.arm(mapped);
        report.arm(mappedCpu);
        report.arm(once);
        report.atLeast("again from a mapping kept registered: of the pinned copy", 0.97,
                mapped.median() / limit.median(), "");
        report.atMost("again from a mapping: CPU time of the staged load's", 0.1,
                mappedCpu.median() / stagedCpu.median(), "");
        report.fact("mapped, one load in its process", Report.number(once.median()) + " GB/s");
    }
}

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;

/// The first load of a plain Java process: classes are loaded and memory is page-locked on the way. [ProcessSection]
/// has the same for a process that has its classes from a cache.
final class FirstLoadSection implements Section {
    private static final double MIB = 1 << 20;
    private static final double HOST_BESIDE_STAGING = 64;

    @Override
    public void run(Bench bench) {
        Path path = bench.sharded();
        Samples load = new Samples("first load of a process, page cache warm, from load()", "GB/s");
        Samples whole = new Samples("first load of a process, page cache warm, from Loader.builder()", "GB/s");
        Samples growth = new Samples("growth of resident memory in a first load", "MiB");
        Samples beside = new Samples("growth of resident memory beside page-locked memory", "MiB");
        for (int i = 0; i < bench.settings().rounds(); i++) {
            Programs.Finished run = Programs.firstLoad(bench.settings(), path, TransferPath.AUTO);
            double gigabytes = run.number("bytes") / 1e9;
            load.add(gigabytes / run.number("seconds_load"));
            whole.add(gigabytes / (run.number("seconds_build") + run.number("seconds_load")));
            growth.add(run.number("resident_growth") / MIB);
            beside.add((run.number("resident_growth") - run.number("staging_bytes")) / MIB);
        }
        Report report = bench.report();
        report.arm(load);
        report.arm(whole);
        report.arm(growth);
        report.arm(beside);
        report.fact("first load of a Java process without a cache of classes", Report.number(load.median()) + " GB/s");
        report.atMost("resident memory's growth beside page-locked memory", HOST_BESIDE_STAGING, beside.median(),
                " MiB");
    }
}

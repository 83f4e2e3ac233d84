package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;

/// The same bytes in other layouts, each in turns with the four shards. A layout exists only while it is measured, in
/// the page cache, so that it need not fit on the disk beside the others.
final class LayoutSection implements Section {
    private static final int TINY = 100_000;
    private static final int TINY_BYTES = 8192;

    @Override
    public void run(Bench bench) {
        Checkpoints checkpoints = bench.checkpoints();
        measure(bench, "one file", checkpoints.single());
        measure(bench, bench.settings().tensors() + " tensors of one size",
                checkpoints.small(bench.settings().tensors()));
        measure(bench, TINY + " tensors of " + TINY_BYTES + " bytes", checkpoints.tiny(TINY, TINY_BYTES), 0.8);
        measure(bench, "a header length that is 1 modulo 8", checkpoints.odd());
    }

    private static void measure(Bench bench, String name, Path layout) {
        measure(bench, name, layout, 0.95);
    }

    private static void measure(Bench bench, String name, Path layout, double bar) {
        Path plain = bench.sharded();
        Samples there = new Samples("load, " + name + ", page cache warm", "GB/s");
        Samples here = new Samples("load, four shards, in turns with " + name, "GB/s");
        try (Loader loader = bench.builder().build()) {
            LoadRun.of(loader, plain);
            LoadRun.of(loader, layout);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                here.add(LoadRun.of(loader, plain).rate());
                there.add(LoadRun.of(loader, layout).rate());
            }
        }
        Checkpoints.delete(layout);
        bench.report().arm(here);
        bench.report().arm(there);
        bench.report().atLeast(name + ": of four shards", bar, there.median() / here.median(), "");
    }
}

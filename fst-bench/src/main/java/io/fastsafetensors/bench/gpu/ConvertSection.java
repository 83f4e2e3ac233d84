package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.types.DType;
import java.nio.file.Path;

/// An F32 checkpoint that becomes BF16 on the way, in turns with the same checkpoint as it is.
final class ConvertSection implements Section {
    private static final double MIB = 1 << 20;

    @Override
    public void run(Bench bench) {
        Path path = bench.checkpoints().wide();
        Samples plain = new Samples("load, F32 as it is, page cache warm", "GB/s");
        Samples converted = new Samples("load, F32 to BF16, page cache warm, file bytes", "GB/s");
        Samples beside = new Samples("device memory beside the result, F32 to BF16", "MiB");
        try (Loader whole = bench.builder().build(); Loader half = bench.builder().dtype(DType.BF16).build()) {
            LoadRun.of(whole, path);
            LoadRun.of(half, path);
            for (int i = 0; i < bench.settings().rounds(); i++) {
                plain.add(LoadRun.of(whole, path).rate());
                converted.add(LoadRun.of(half, path).rate());
            }
            // Apart from the timed rounds: asking for free memory is a call into the driver.
            for (int i = 0; i < bench.settings().rounds(); i++) {
                try (MemoryWatch watch = new MemoryWatch(bench.backend())) {
                    long result = LoadRun.of(half, path).stats().bytes() / 2;
                    beside.add((watch.peak() - result) / MIB);
                }
            }
        }
        Checkpoints.delete(path);
        Report report = bench.report();
        report.arm(plain);
        report.arm(converted);
        report.arm(beside);
        report.atLeast("F32 to BF16 on the way: of the plain rate, file bytes", 0.9,
                converted.median() / plain.median(), "");
        report.atMost("F32 to BF16: device memory beside the result, at most", 256, beside.max(), " MiB");
    }
}

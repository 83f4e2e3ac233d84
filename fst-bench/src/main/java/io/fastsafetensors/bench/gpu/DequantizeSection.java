package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.types.DType;
import java.nio.file.Path;

/// An FP8 checkpoint with block scales that becomes BF16 on the way, in turns with the same checkpoint as it is.
final class DequantizeSection implements Section {
    private static final double MIB = 1 << 20;

    @Override
    public void run(Bench bench) {
        Path path = bench.checkpoints().quantized();
        Samples plain = new Samples("load, FP8 as it is, page cache warm", "GB/s");
        Samples multiplied = new Samples("load, FP8 de-quantised to BF16, page cache warm, file bytes", "GB/s");
        Samples beside = new Samples("device memory beside the result, FP8 to BF16", "MiB");
        try (Loader whole = bench.builder().build(); Loader bf16 = bench.builder().dequantize(DType.BF16).build()) {
            double gigabytes = LoadRun.of(whole, path).stats().bytes() / 1e9;
            for (int i = 0; i < LoadRun.WARM_UPS; i++) {
                LoadRun.of(whole, path);
                LoadRun.of(bf16, path);
            }
            for (int i = 0; i < bench.settings().rounds(); i++) {
                plain.add(gigabytes / LoadRun.of(whole, path).seconds());
                multiplied.add(gigabytes / LoadRun.of(bf16, path).seconds());
            }
            // Apart from the timed rounds: asking for free memory is a call into the driver.
            for (int i = 0; i < bench.settings().rounds(); i++) {
                // What earlier loads left for the next one would hide what this one takes.
                bf16.trim();
                try (MemoryWatch watch = new MemoryWatch(bench.backend())) {
                    long result = LoadRun.of(bf16, path).stats().bytes();
                    beside.add((watch.peak() - result) / MIB);
                }
            }
        }
        Checkpoints.delete(path);
        Report report = bench.report();
        report.arm(plain);
        report.arm(multiplied);
        report.arm(beside);
        report.atLeast("FP8 to BF16 on the way: of the plain rate, file bytes", 0.9,
                multiplied.median() / plain.median(), "");
        report.atMost("FP8 to BF16: device memory beside the result, at most", 256, beside.max(), " MiB");
    }
}

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Kernels alone, in bytes read and written a second, beside a copy within the device in the same rounds.
///
/// A gather's bytes read are those of the memory transactions it cannot avoid: with a step of two every second element
/// is dropped after it came, so it counts as read.
final class KernelSection implements Section {
    private static final long LARGEST = 2L << 30;
    private static final long COLUMNS = 4096;
    private static final double BAR = 0.7;

    /// The conversions that checkpoints are loaded with.
    private static final List<Pair> HOT = List.of(new Pair(DType.F32, DType.BF16), new Pair(DType.F32, DType.F16),
            new Pair(DType.BF16, DType.F32), new Pair(DType.F16, DType.F32), new Pair(DType.F16, DType.BF16),
            new Pair(DType.BF16, DType.F16), new Pair(DType.F64, DType.F32), new Pair(DType.F8_E4M3, DType.BF16),
            new Pair(DType.F8_E5M2, DType.F16), new Pair(DType.BF16, DType.F8_E4M3));
    private static final List<Pair> GENERIC = List.of(new Pair(DType.F64, DType.BF16), new Pair(DType.I64, DType.F32),
            new Pair(DType.F32, DType.I8), new Pair(DType.F4, DType.BF16), new Pair(DType.F8_E8M0, DType.F32),
            new Pair(DType.U8, DType.F64));

    private record Pair(DType from, DType to) {
    }

    /// A kernel to time.
    ///
    /// @param name what it does
    /// @param isHot whether the bar applies
    /// @param bytes read and written
    /// @param submit queues it
    private record Job(String name, boolean isHot, double bytes, Runnable submit) {
    }

    @Override
    public void run(Bench bench) {
        long bytes = Math.min(LARGEST, bench.settings().bytes() / 4);
        Kernels kernels = bench.backend().kernels();
        Samples copy = new Samples("copy within the device, read and written", "GB/s");
        try (DeviceCopy device = new DeviceCopy(bench.backend(), bytes)) {
            List<Job> jobs = new ArrayList<>();
            HOT.forEach(pair -> jobs.add(conversion(kernels, device, pair, bytes, true)));
            jobs.addAll(gathers(kernels, device, bytes));
            GENERIC.forEach(pair -> jobs.add(conversion(kernels, device, pair, bytes, false)));
            List<Samples> rates = jobs.stream().map(job -> new Samples(job.name, "GB/s")).toList();
            for (int i = 0; i < bench.settings().rounds(); i++) {
                copy.add(2 * bytes / 1e9 / device.seconds(device::copy));
                for (int j = 0; j < jobs.size(); j++) {
                    rates.get(j).add(jobs.get(j).bytes / 1e9 / device.seconds(jobs.get(j).submit));
                }
            }
            report(bench.report(), copy, jobs, rates);
        }
    }

    private static void report(Report report, Samples copy, List<Job> jobs, List<Samples> rates) {
        report.arm(copy);
        rates.forEach(report::arm);
        for (boolean gather : new boolean[] {false, true}) {
            Samples slowest = rates.stream().filter(rate -> {
                Job job = jobs.get(rates.indexOf(rate));
                return job.isHot && job.name.startsWith("gather") == gather;
            }).min(Comparator.comparingDouble(Samples::median)).orElseThrow();
            report.atLeast((gather ? "gathers" : "conversions") + " alone, of a copy within the device; the slowest, "
                    + slowest.name(), BAR, slowest.median() / copy.median(), "");
        }
    }

    private static Job conversion(Kernels kernels, DeviceCopy device, Pair pair, long bytes, boolean isHot) {
        long elements = bytes * 8 / Math.max(pair.from.bits(), pair.to.bits()) / 64 * 64;
        long read = pair.from.byteSize(elements);
        long written = pair.to.byteSize(elements);
        return new Job("convert " + pair.from + " to " + pair.to, isHot, read + written,
                () -> kernels.convert(device.stream(), device.source(read), pair.from, device.target(written), pair.to,
                        elements));
    }

    private static List<Job> gathers(Kernels kernels, DeviceCopy device, long bytes) {
        DType dtype = DType.BF16;
        long columns = COLUMNS;
        long rows = bytes / dtype.byteSize(columns);
        return List.of(
                gather(kernels, device, "gather BF16, columns of a matrix", dtype,
                        view(rows, columns / 2, columns / 4, columns, 1), dtype, 1),
                gather(kernels, device, "gather BF16, rows of a matrix", dtype,
                        view(rows / 2, columns, rows / 4 * columns, columns, 1), dtype, 1),
                gather(kernels, device, "gather BF16, transposed", dtype, view(columns, rows, 0, 1, columns), dtype, 1,
                        false),
                gather(kernels, device, "gather BF16, every other column", dtype,
                        view(rows, columns / 2, 0, columns, 2), dtype, 2),
                gather(kernels, device, "gather F32 to BF16, columns of a matrix", DType.F32,
                        view(rows / 2, columns / 2, columns / 4, columns, 1), dtype, 1));
    }

    private static Strided view(long rows, long columns, long offset, long rowStride, long columnStride) {
        return new Strided(Shape.of(rows, columns), offset, new long[] {rowStride, columnStride});
    }

    private static Job gather(Kernels kernels, DeviceCopy device, String name, DType from, Strided view, DType to,
            int spread) {
        return gather(kernels, device, name, from, view, to, spread, true);
    }

    /// @param isHot whether slices of tensors are like this: none is transposed
    private static Job gather(Kernels kernels, DeviceCopy device, String name, DType from, Strided view, DType to,
            int spread, boolean isHot) {
        long elements = view.shape().elements();
        long written = to.byteSize(elements);
        long span = from.byteSize(view.highest() + 1);
        return new Job(name, isHot, from.byteSize(elements) * (double) spread + written,
                () -> kernels.gather(device.stream(), device.source(span), from, view, device.target(written), to));
    }
}

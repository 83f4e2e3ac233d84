package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Samples;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;

/// Kernels alone, in bytes read and written a second, beside a copy within the device in the same rounds: every
/// conversion, and gathers of items of every size.
///
/// A gather's bytes read are those of the memory transactions it cannot avoid: with a step of two every second element
/// is dropped after it came, so it counts as read.
final class KernelSection implements Section {
    private static final long LARGEST = 1L << 30;
    private static final int MOST_ROUNDS = 3;
    private static final long COLUMNS = 4096;
    private static final double BAR = 0.7;
    private static final double TRANSPOSED_BAR = 0.5;
    /// One of each element size.
    private static final List<DType> SIZES = List.of(DType.U8, DType.BF16, DType.F32, DType.F64);

    /// A kernel to time.
    ///
    /// @param kind of which the slowest is named
    /// @param name what it does
    /// @param bar the least rate, in that of the copy
    /// @param bytes read and written
    /// @param submit queues it
    private record Job(String kind, String name, double bar, double bytes, Runnable submit) {
    }

    /// A job and its rates.
    private record Timed(Job job, Samples rates) {
    }

    @Override
    public void run(Bench bench) {
        long bytes = Math.min(LARGEST, bench.settings().bytes() / 4);
        Kernels kernels = bench.backend().kernels();
        Samples copy = new Samples("copy within the device, read and written", "GB/s");
        try (DeviceCopy device = new DeviceCopy(bench.backend(), bytes)) {
            List<Timed> all = new ArrayList<>();
            for (Job job : jobs(kernels, device, bytes)) {
                all.add(new Timed(job, new Samples(job.name, "GB/s")));
            }
            for (int i = 0; i < Math.min(MOST_ROUNDS, bench.settings().rounds()); i++) {
                copy.add(2 * bytes / 1e9 / device.seconds(device::copy));
                for (Timed timed : all) {
                    timed.rates.add(timed.job.bytes / 1e9 / device.seconds(timed.job.submit));
                }
            }
            report(bench.report(), copy, all);
        }
    }

    private static void report(Report report, Samples copy, List<Timed> all) {
        report.arm(copy);
        all.forEach(timed -> report.arm(timed.rates));
        LinkedHashSet<String> kinds = new LinkedHashSet<>();
        all.forEach(timed -> kinds.add(timed.job.kind));
        for (String kind : kinds) {
            List<Timed> those = all.stream().filter(timed -> timed.job.kind.equals(kind)).toList();
            Timed slowest = those.stream().min(Comparator.comparingDouble(timed -> timed.rates.median())).orElseThrow();
            report.atLeast(kind + " alone, of a copy within the device; the slowest of " + those.size() + ", "
                    + slowest.job.name, slowest.job.bar, slowest.rates.median() / copy.median(), "");
        }
    }

    private static List<Job> jobs(Kernels kernels, DeviceCopy device, long bytes) {
        List<Job> jobs = new ArrayList<>();
        for (DType from : DType.values()) {
            for (DType to : DType.values()) {
                if (from != to && kernels.supports(from, to)) {
                    jobs.add(conversion(kernels, device, from, to, bytes));
                }
            }
        }
        for (DType dtype : SIZES) {
            gathers(kernels, device, dtype, bytes).forEach(jobs::add);
        }
        long rows = bytes / DType.F32.byteSize(COLUMNS);
        jobs.add(gather(kernels, device, "columns, F32 to BF16", DType.F32,
                view(rows, COLUMNS / 2, COLUMNS / 4, COLUMNS, 1), DType.BF16, 1));
        return jobs;
    }

    private static Job conversion(Kernels kernels, DeviceCopy device, DType from, DType to, long bytes) {
        long elements = bytes * 8 / Math.max(8, Math.max(from.bits(), to.bits())) / 64 * 64;
        long read = from.byteSize(elements);
        long written = to.byteSize(elements);
        String kind = from.bits() <= 8 ? "conversions from up to 8 bits"
                : "conversions from more than 8 bits to " + (to.bits() <= 16 ? "up to 16" : "more");
        return new Job(kind, "convert " + from + " to " + to, BAR, (double) read + written,
                () -> kernels.convert(device.stream(), device.source(read), from, device.target(written), to,
                        elements));
    }

    private static List<Job> gathers(Kernels kernels, DeviceCopy device, DType dtype, long bytes) {
        long columns = COLUMNS;
        long rows = bytes / dtype.byteSize(columns);
        return List.of(
                gather(kernels, device, "columns, " + dtype, dtype, view(rows, columns / 2, columns / 4, columns, 1),
                        dtype, 1),
                gather(kernels, device, "rows, " + dtype, dtype,
                        view(rows / 2, columns, rows / 4 * columns, columns, 1), dtype, 1),
                gather(kernels, device, "every other column, " + dtype, dtype,
                        view(rows, columns / 2, 0, columns, 2), dtype, 2),
                gather(kernels, device, "reversed columns, " + dtype, dtype,
                        view(rows, columns, columns - 1, columns, -1), dtype, 1),
                gather(kernels, device, "transposed, " + dtype, dtype, view(columns, rows, 0, 1, columns), dtype, 1));
    }

    private static Strided view(long rows, long columns, long offset, long rowStride, long columnStride) {
        return new Strided(Shape.of(rows, columns), offset, new long[] {rowStride, columnStride});
    }

    /// @param name the kind up to the comma
    private static Job gather(Kernels kernels, DeviceCopy device, String name, DType from, Strided view, DType to,
            int spread) {
        long elements = view.shape().elements();
        long written = to.byteSize(elements);
        long span = from.byteSize(view.highest() + 1);
        String kind = "gathers of " + name.substring(0, name.indexOf(','));
        return new Job(kind, "gather " + name, name.startsWith("transposed") ? TRANSPOSED_BAR : BAR,
                from.byteSize(elements) * (double) spread + written,
                () -> kernels.gather(device.stream(), device.source(span), from, view, device.target(written), to));
    }
}

package io.fastsafetensors.bench;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.cli.Medians;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.random.RandomGenerator;

/// The kernels of the CPU on one thread: every conversion pair and some gathers, in bytes read and written a second, next to
/// a copy of as many bytes in the same rounds.
///
/// Arguments: the number of rounds; optionally a part of the names of what is measured. Elements are random numbers of
/// ordinary size, since that is what tensors hold. Prints the slowest first.
public final class CpuKernels {
    private static final long BYTES = 16 << 20;
    private static final long PAGE = 4096;

    private record Job(String name, long bytes, Runnable work, List<Double> rates) {
    }

    private final Backend backend;
    private final CopyStream stream;
    private final DeviceBuffer source;
    private final DeviceBuffer target;
    private final List<Job> jobs = new ArrayList<>();

    private CpuKernels(Backend backend, CopyStream stream, DeviceBuffer source, DeviceBuffer target) {
        this.backend = backend;
        this.stream = stream;
        this.source = source;
        this.target = target;
    }

    /// Runs it.
    public static void main(String[] args) {
        String part = args.length > 1 ? args[1] : "";
        try (Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
                CopyStream stream = backend.openCopyStream(); DeviceBuffer source = backend.allocate(BYTES, PAGE);
                DeviceBuffer target = backend.allocate(BYTES, PAGE)) {
            CpuKernels bench = new CpuKernels(backend, stream, source, target);
            // Memory that was never written has one page of zeros everywhere.
            bench.memory(source).fill((byte) 1);
            bench.add("copy", 2 * BYTES,
                    () -> MemorySegment.copy(bench.memory(source), 0, bench.memory(target), 0, BYTES));
            bench.addConversions(part);
            bench.addGathers(part);
            bench.run(Integer.parseInt(args[0]));
        }
    }

    private MemorySegment memory(DeviceBuffer buffer) {
        return buffer.segment().orElseThrow();
    }

    private void add(String name, long bytes, Runnable work) {
        jobs.add(new Job(name, bytes, work, new ArrayList<>()));
    }

    private void addConversions(String part) {
        for (DType from : DType.values()) {
            for (DType to : DType.values()) {
                String name = "convert " + from + " to " + to;
                if (from == to || !backend.kernels().supports(from, to) || !name.contains(part)) {
                    continue;
                }
                long elements = BYTES * 8 / Math.max(from.bits(), to.bits()) / 64 * 64;
                BufferSlice in = new BufferSlice(source, 0, from.byteSize(elements));
                BufferSlice out = new BufferSlice(target, 0, to.byteSize(elements));
                add(name, in.byteSize() + out.byteSize(), () -> {
                    fill(from, elements);
                    backend.kernels().convert(stream, in, from, out, to, elements);
                });
            }
        }
    }

    private void addGathers(String part) {
        for (DType dtype : List.of(DType.U8, DType.BF16, DType.F32, DType.F64)) {
            long columns = 2048;
            long rows = BYTES / dtype.byteSize(columns);
            gather(part, "half of the columns", dtype, rows, columns / 2, columns, 1, dtype);
            gather(part, "every other column", dtype, rows, columns / 2, columns, 2, dtype);
            gather(part, "reversed", dtype, rows, columns, columns, -1, dtype);
            gather(part, "transposed", dtype, columns, rows, 1, columns, dtype);
        }
        gather(part, "transposed, to BF16", DType.F32, 2048, BYTES / 4 / 2048, 1, 2048, DType.BF16);
        gather(part, "every other column, to BF16", DType.F32, BYTES / 4 / 2048, 1024, 2048, 2, DType.BF16);
    }

    private void gather(String part, String what, DType from, long rows, long columns, long rowStep, long columnStep,
            DType to) {
        String name = "gather " + from + ", " + what;
        if (!name.contains(part)) {
            return;
        }
        Strided view = new Strided(Shape.of(rows, columns), columnStep < 0 ? columns - 1 : 0,
                new long[] {rowStep, columnStep});
        long elements = rows * columns;
        BufferSlice out = new BufferSlice(target, 0, to.byteSize(elements));
        add(name, from.byteSize(elements) + out.byteSize(),
                () -> backend.kernels().gather(stream, BufferSlice.of(source), from, view, out, to));
    }

    /// Once before the first round of a source dtype; later calls find it filled.
    private void fill(DType from, long elements) {
        if (from == filled) {
            return;
        }
        filled = from;
        RandomGenerator random = RandomGenerator.of("L64X128MixRandom");
        MemorySegment memory = memory(source);
        for (long i = 0; i < elements; i++) {
            switch (from) {
                case F32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
                case F64 -> memory.setAtIndex(ValueLayout.JAVA_DOUBLE, i, random.nextGaussian());
                case BF16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i,
                        (short) (Float.floatToRawIntBits((float) random.nextGaussian()) >>> 16));
                case F16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i,
                        Float.floatToFloat16((float) random.nextGaussian()));
                default -> {
                    if (i < from.byteSize(elements) / Long.BYTES) {
                        memory.setAtIndex(ValueLayout.JAVA_LONG, i, random.nextLong());
                    }
                }
            }
        }
    }

    private DType filled = DType.BOOL;

    private void run(int rounds) {
        for (int round = -1; round < rounds; round++) {
            for (Job job : jobs) {
                // The first call fills the source.
                job.work.run();
                long start = System.nanoTime();
                job.work.run();
                if (round >= 0) {
                    job.rates.add(job.bytes / (double) (System.nanoTime() - start));
                }
            }
        }
        double copy = Medians.median(jobs.getFirst().rates, Double::doubleValue);
        jobs.stream().sorted(Comparator.comparingDouble(job -> Medians.median(job.rates, Double::doubleValue)))
                .forEach(job -> {
                    double rate = Medians.median(job.rates, Double::doubleValue);
                    System.out.printf(Locale.ROOT, "%-44s %7.2f GB/s (%.2f–%.2f), %5.2f of a copy%n", job.name, rate,
                            job.rates.stream().mapToDouble(r -> r).min().orElseThrow(),
                            job.rates.stream().mapToDouble(r -> r).max().orElseThrow(), rate / copy);
                });
    }
}

package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.kernel.HostMemory;
import io.fastsafetensors.testkit.kernel.KernelLibrary;
import io.fastsafetensors.testkit.reference.Elements;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;

/// Runs the compiled kernels against [ScalarReference]. Whatever surrounds the target must stay.
final class KernelTrials {
    private final KernelLibrary library;
    private final RandomGenerator random;
    private final Set<String> functions = new HashSet<>();

    KernelTrials(KernelLibrary library, RandomGenerator random) {
        this.library = library;
        this.random = random;
    }

    /// The functions that have run.
    Set<String> functions() {
        return Set.copyOf(functions);
    }

    /// Converts given elements, from and to any byte of a buffer.
    void convert(DType from, long[] raw, DType to, int sourceAt, int targetAt) {
        byte[] bytes = Elements.pack(from, raw);
        long size = to.byteSize(raw.length);
        try (HostMemory source = new HostMemory(sourceAt + bytes.length, random);
                HostMemory target = new HostMemory(targetAt + size + random.nextInt(20), random)) {
            source.bytes(sourceAt, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
            byte[] expected = target.copy();
            ScalarReference.convert(MemorySegment.ofArray(bytes), from,
                    MemorySegment.ofArray(expected).asSlice(targetAt, size), to, raw.length);
            var in = source.slice(sourceAt, bytes.length);
            var out = target.slice(targetAt, size);
            run(KernelPlan.convert(in, from, out, to, raw.length), source, target);
            byte[] actual = target.copy();
            int wrong = Arrays.mismatch(expected, actual);
            if (wrong >= 0) {
                String which = "";
                for (int i = 0; i < raw.length && which.isEmpty(); i++) {
                    long is = Elements.get(MemorySegment.ofArray(actual).asSlice(targetAt, size), to, i);
                    long should = ScalarReference.convert(from, raw[i], to);
                    which = is == should ? ""
                            : String.format(": element %d, 0x%X, became 0x%X, not 0x%X", i, raw[i], is, should);
                }
                throw new AssertionError(raw.length + " elements of " + from + " at " + sourceAt + " to " + to + " at "
                        + targetAt + ": byte " + wrong + which + Seed.note());
            }
        }
    }

    /// Converts random elements.
    void convert(DType from, DType to, int count, int sourceAt, int targetAt) {
        convert(from, random.longs(count).map(x -> x & -1L >>> (64 - from.bits())).toArray(), to, sourceAt, targetAt);
    }

    /// Gathers from random elements.
    void gather(DType from, Strided view, int elements, DType to, int sourceAt, int targetAt) {
        long sourceSize = from.byteSize(elements);
        long size = to.byteSize(view.shape().elements());
        try (HostMemory source = new HostMemory(sourceAt + sourceSize, random);
                HostMemory target = new HostMemory(targetAt + size + random.nextInt(20), random)) {
            byte[] expected = target.copy();
            ScalarReference.gather(source.bytes(sourceAt, sourceSize), from, view,
                    MemorySegment.ofArray(expected).asSlice(targetAt, size), to);
            run(KernelPlan.gather(source.slice(sourceAt, sourceSize), from, view, target.slice(targetAt, size), to),
                    source, target);
            int wrong = Arrays.mismatch(expected, target.copy());
            if (wrong >= 0) {
                throw new AssertionError(view + " of " + from + " at " + sourceAt + " to " + to + " at " + targetAt
                        + ": byte " + wrong + Seed.note());
            }
        }
    }

    /// With the plan's geometry, or any other.
    private void run(List<KernelCall> calls, HostMemory source, HostMemory target) {
        for (KernelCall call : calls) {
            functions.add(call.function());
            boolean other = random.nextInt(4) == 0;
            library.run(call, source.slice(0, 0), target.slice(0, 0), other ? 1 + random.nextInt(5) : call.groups(),
                    other ? 1 + random.nextInt(70) : call.groupSize());
        }
    }

    /// A view of `elements` elements with up to `rank` dimensions and strides of any sign.
    Strided view(int rank, int elements) {
        long[] dims = new long[1 + random.nextInt(rank)];
        long[] strides = new long[dims.length];
        long low = 0;
        long high = 0;
        for (int d = 0; d < dims.length; d++) {
            dims[d] = 1L + random.nextInt(dims.length > 6 ? 3 : dims.length > 3 ? 4 : 12);
            long most = (elements - 1L - (high - low)) / Math.max(1, dims[d] - 1) / (dims.length - d);
            strides[d] = most == 0 ? 0 : random.nextLong(-most, most + 1);
            low += Math.min(0, strides[d] * (dims[d] - 1));
            high += Math.max(0, strides[d] * (dims[d] - 1));
        }
        return new Strided(Shape.of(dims), random.nextLong(elements - (high - low)) - low, strides);
    }

    /// Columns of a matrix: what a shard of an inner dimension is.
    void columns(DType from, DType to, int rows, int width, int column, int columns, int sourceAt, int targetAt) {
        gather(from, new Strided(Shape.of(rows, columns), column, new long[] {width, 1}), rows * width, to, sourceAt,
                targetAt);
    }
}

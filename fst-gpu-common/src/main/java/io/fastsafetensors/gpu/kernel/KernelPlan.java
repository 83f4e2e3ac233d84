package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.kernel.Requests;
import io.fastsafetensors.types.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Which functions of [KernelSource] do a conversion or a gather, and with which arguments. Pure: nothing is launched,
/// and of the slices only offsets, sizes and the identity of their buffers are looked at.
///
/// With this a backend's [io.fastsafetensors.spi.Kernels] is: for each call, in order and on the stream, bind its
/// arguments and launch it. Buffers start at an address that is a multiple of 128 or more.
public final class KernelPlan {
    private static final String CONVERT = "fst_convert";
    private static final String GATHER = "fst_gather_";
    private static final List<String> FUNCTIONS = allFunctions();

    private KernelPlan() {
    }

    /// The names of all functions, for a backend that looks them up ahead.
    public static List<String> functions() {
        return FUNCTIONS;
    }

    /// Whether the kernels convert the pair: equal dtypes, and all pairs without C64.
    public static boolean supports(DType from, DType to) {
        return Requests.supports(from, to);
    }

    /// Plans [io.fastsafetensors.spi.Kernels#convert].
    ///
    /// @return the calls, in order; none for no elements
    /// @throws IllegalArgumentException if the sizes do not fit, or source and target overlap
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the pair is not supported
    public static List<KernelCall> convert(BufferSlice source, DType from, BufferSlice target, DType to,
            long elements) {
        Requests.requireConvert(source, from, target, to, elements);
        List<KernelCall> calls = new ArrayList<>();
        if (from == to) {
            // Bytes, since elements of a sub-byte dtype are none.
            line(DType.U8, source.offset(), DType.U8, target.offset(), source.byteSize(), calls);
        } else {
            line(from, source.offset(), to, target.offset(), elements, calls);
        }
        return calls;
    }

    /// Plans [io.fastsafetensors.spi.Kernels#gather].
    ///
    /// @return the calls, in order; none for no elements
    /// @throws IllegalArgumentException if an index is outside the source, the target's size does not fit, or source
    ///     and target overlap
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the pair is not supported, or has a sub-byte
    ///     dtype
    public static List<KernelCall> gather(BufferSlice source, DType from, Strided view, BufferSlice target,
            DType to) {
        List<KernelCall> calls = new ArrayList<>();
        if (Requests.requireGather(source, from, view, target, to) == 0) {
            return calls;
        }
        Runs runs = Runs.of(view, from.bits() / 8, source.offset());
        if (from == to) {
            Place place = new Place(target.offset(), 1, 1);
            runs.split(1, part -> calls.add(copy(part, place.next(part))));
        } else {
            Place place = new Place(target.offset(), from.bits() / 8, to.bits() / 8);
            runs.split(from.bits() / 8, part -> calls.add(convert(part, from, place.next(part), to)));
        }
        return calls;
    }

    /// Consecutive elements. Every part but the last has a multiple of 16 elements, so that all have the alignment of
    /// the first, and sub-byte ones end with a byte.
    private static void line(DType from, long source, DType to, long target, long elements, List<KernelCall> calls) {
        long most = Launch.ITEMS - 16;
        for (long done = 0; done < elements; done += most) {
            long count = Math.min(most, elements - done);
            calls.add(line(from, source + from.byteSize(done), to, target + to.byteSize(done), count));
        }
    }

    private static KernelCall line(DType from, long source, DType to, long target, long count) {
        if (from == to) {
            return UnitCall.line(UnitFunction.COPY, source, target, count);
        }
        Optional<UnitFunction> function = UnitFunction.of(from, to);
        if (function.isPresent()) {
            return UnitCall.line(function.get(), source, target, count);
        }
        // Work items of whole bytes on both sides: no two of them write to the same byte.
        int chunk = from.isSubByte() || to.isSubByte() ? 8 : 1;
        return new Launch().formats(Format.of(from), Format.of(to)).count(count).chunk(chunk)
                .call(CONVERT, Math.ceilDiv(count, chunk), source, target);
    }

    private static KernelCall copy(Runs runs, long target) {
        if (runs.rank() == 0) {
            return UnitCall.line(UnitFunction.COPY, runs.start(), target, runs.run());
        }
        return UnitCall.rows(UnitFunction.COPY, runs, target).orElseGet(() -> {
            int item = runs.alignment(target);
            return strided(runs, item).call(GATHER + item, runs.byteSize() / item, runs.start(), target);
        });
    }

    private static KernelCall convert(Runs runs, DType from, long target, DType to) {
        int size = from.bits() / 8;
        if (runs.rank() == 0) {
            return line(from, runs.start(), to, target, runs.run() / size);
        }
        return UnitFunction.of(from, to).flatMap(function -> UnitCall.rows(function, runs, target))
                .orElseGet(() -> strided(runs, size).formats(Format.of(from), Format.of(to)).chunk(1).call(CONVERT,
                        runs.byteSize() / size, runs.start(), target));
    }

    /// The dimensions of a view whose items have `size` bytes.
    private static Launch strided(Runs runs, int size) {
        Launch launch = new Launch().count(runs.byteSize() / size);
        int rank = 0;
        if (runs.run() > size) {
            launch.stride(0, size).dim(rank++, runs.run() / size);
        }
        for (int d = 0; d < runs.rank(); d++) {
            launch.stride(rank, runs.step(d)).dim(rank++, runs.dim(d));
        }
        return launch.rank(rank);
    }

    private static List<String> allFunctions() {
        List<String> names = new ArrayList<>(UnitFunction.names());
        names.add(CONVERT);
        for (int item = 1; item <= 16; item *= 2) {
            names.add(GATHER + item);
        }
        return List.copyOf(names);
    }

    /// Where the next part of a gather lands.
    private static final class Place {
        private final int fromBytes;
        private final int toBytes;
        private long at;

        Place(long at, int fromBytes, int toBytes) {
            this.at = at;
            this.fromBytes = fromBytes;
            this.toBytes = toBytes;
        }

        /// The place of `part`, after all before it.
        long next(Runs part) {
            long place = at;
            at += part.byteSize() / fromBytes * toBytes;
            return place;
        }
    }
}

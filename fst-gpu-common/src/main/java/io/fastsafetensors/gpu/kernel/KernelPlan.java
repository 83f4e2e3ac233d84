package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.kernel.Requests;
import io.fastsafetensors.types.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Chooses the functions of [KernelSource] for a conversion or a gather, and their arguments. Pure: nothing is
/// launched, and of the slices only offsets, sizes and the identity of their buffers are looked at.
///
/// With this a backend's [io.fastsafetensors.spi.Kernels] is: for each call, in order and on the stream, bind its
/// arguments and launch it. Buffers start at an address that is a multiple of 128 or more.
public final class KernelPlan {
    private static final String CONVERT = "fst_convert";
    private static final String GATHER = "fst_gather_";
    private static final String DEQUANTIZE = "fst_dequantize";
    private static final Set<DType> QUANTIZED =
            Set.of(DType.F8_E4M3, DType.F8_E5M2, DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ, DType.F4, DType.I8);
    private static final Set<DType> DEQUANTIZED = Set.of(DType.BF16, DType.F16, DType.F32);
    /// Elements that a work item makes together.
    private static final int TOGETHER = 8;
    /// Rows longer than this are cut: indices have 31 bits, and so has what divides them.
    private static final long WIDE = 1L << 30;
    private static final long MOST = 1L << 31;
    /// Fewer elements than this are converted one by one: one launch costs less than three.
    private static final long FEW = 256;
    private static final List<String> FUNCTIONS = allFunctions();

    private KernelPlan() {
    }

    /// The names of all functions, for a backend that looks them up ahead.
    public static List<String> functions() {
        return FUNCTIONS;
    }

    /// The names of those that convert less common pairs: the source's part 2, all others being part 1. A backend may
    /// compile them when it first needs one.
    public static List<String> pairFunctions() {
        return PairFunction.names();
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
            long end = source.buffer().byteSize();
            runs.split(1, part -> calls.add(copy(part, place.next(part), end)));
        } else {
            Place place = new Place(target.offset(), from.bits() / 8, to.bits() / 8);
            runs.split(from.bits() / 8, part -> convert(part, from, place.next(part), to, calls));
        }
        return calls;
    }

    /// Whether [#dequantize] is there for the pair.
    public static boolean dequantizes(DType from, DType to) {
        return QUANTIZED.contains(from) && DEQUANTIZED.contains(to);
    }

    /// Plans [io.fastsafetensors.spi.Kernels#dequantize].
    ///
    /// @return the calls, in order; none for no elements
    /// @throws IllegalArgumentException if sizes do not fit, or a scale is asked for that is not there
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the pair is not supported
    public static List<KernelCall> dequantize(BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
            long firstElement, long firstScale, BufferSlice target, DType to) {
        if (!dequantizes(from, to)) {
            throw new UnsupportedFeatureException("no de-quantisation from " + from + " to " + to, Where.nowhere());
        }
        Requests.requireDequantize(source, from, scales, grid, firstElement, firstScale, target, to);
        List<KernelCall> calls = new ArrayList<>();
        long elements = target.byteSize() * 8 / to.bits();
        for (long done = 0; done < elements;) {
            long first = firstElement + done;
            long count = Math.min(Launch.ITEMS / 2, elements - done);
            if (grid.columns() > WIDE && !isSingle(grid)) {
                count = Math.min(count, grid.columns() - first % grid.columns());
            }
            calls.add(dequantize(source.offset() + from.byteSize(done), from, scales.offset(), grid, first, firstScale,
                    target.offset() + to.byteSize(done), to, count));
            done += count;
        }
        return calls;
    }

    private static boolean isSingle(ScaleGrid grid) {
        return grid.matrixStride() == 0 && grid.rowStride() == 0 && grid.blockColumns() == grid.columns();
    }

    /// Of what the elements of a call do not reach the size does not matter, as long as it has a place.
    private static KernelCall dequantize(long source, DType from, long scales, ScaleGrid grid, long first,
            long firstScale, long target, DType to, long count) {
        boolean single = isSingle(grid);
        boolean wide = grid.columns() > WIDE;
        long row = first / grid.columns();
        long column = single ? 0 : wide ? first % grid.columns() % grid.blockColumns() : first % grid.columns();
        long before = row / grid.rows() * grid.matrixStride()
                + (wide && !single ? first % grid.columns() / grid.blockColumns() : 0);
        boolean together = single || (grid.columns() % TOGETHER == 0 && grid.blockColumns() % TOGETHER == 0
                && first % TOGETHER == 0);
        boolean aligned = source % TOGETHER == 0 && target % (2 * TOGETHER) == 0;
        Launch launch = new Launch().formats(Format.of(from), Format.of(to)).aligned(aligned)
                .chunk(together ? TOGETHER : 1).units(column, single ? 0 : row % grid.rows(), count, 0)
                .stride(0, grid.matrixStride()).stride(1, grid.rowStride()).stride(2, scales - source)
                .stride(3, firstScale - before);
        launch.divisor(0, single || wide ? MOST : grid.columns())
                .divisor(1, single ? MOST : Math.min(grid.blockColumns(), MOST)).divisor(2, Math.min(grid.rows(), MOST))
                .divisor(3, Math.min(grid.blockRows(), MOST));
        return launch.call(DEQUANTIZE, Math.ceilDiv(count, TOGETHER), source, target);
    }

    /// Consecutive elements. Every part but the last has a multiple of 16 elements, so that all have the alignment of
    /// the first, and sub-byte ones end with a byte.
    private static void line(DType from, long source, DType to, long target, long elements, List<KernelCall> calls) {
        long most = Launch.ITEMS - 16;
        for (long done = 0; done < elements; done += most) {
            long count = Math.min(most, elements - done);
            part(from, source + from.byteSize(done), to, target + to.byteSize(done), count, calls);
        }
    }

    private static void part(DType from, long source, DType to, long target, long count, List<KernelCall> calls) {
        Optional<UnitFunction> function = from == to ? Optional.of(UnitFunction.COPY) : UnitFunction.of(from, to);
        if (function.isPresent()) {
            calls.add(UnitCall.line(function.get(), source, target, count));
        } else {
            pair(from, source, to, target, count, calls);
        }
    }

    /// Whole units, and what is before and after them element by element.
    private static void pair(DType from, long source, DType to, long target, long count, List<KernelCall> calls) {
        PairFunction function = PairFunction.of(from, to);
        long head = function.head(source, target);
        long units = head < 0 || count < FEW ? 0 : (count - head) / function.elements();
        if (units <= 0) {
            calls.add(single(from, source, to, target, count));
            return;
        }
        if (head > 0) {
            calls.add(single(from, source, to, target, head));
        }
        calls.add(new Launch().formats(Format.of(from), Format.of(to))
                .units(0, units, units * function.elements(), function.elements())
                .call(function.name(), source + from.byteSize(head), target + to.byteSize(head)));
        long done = head + units * function.elements();
        if (done < count) {
            calls.add(single(from, source + from.byteSize(done), to, target + to.byteSize(done), count - done));
        }
    }

    private static KernelCall single(DType from, long source, DType to, long target, long count) {
        // Work items of whole bytes on both sides: no two of them write to the same byte.
        int chunk = from.isSubByte() || to.isSubByte() ? 8 : 1;
        return new Launch().formats(Format.of(from), Format.of(to)).count(count).chunk(chunk)
                .call(CONVERT, Math.ceilDiv(count, chunk), source, target);
    }

    /// @param end of the source's buffer
    private static KernelCall copy(Runs runs, long target, long end) {
        if (runs.rank() == 0) {
            return UnitCall.line(UnitFunction.COPY, runs.start(), target, runs.run());
        }
        int item = runs.alignment(target);
        return UnitCall.rows(UnitFunction.COPY, runs, target).or(() -> TileCall.of(runs, item, target))
                .or(() -> PickCall.of(runs, target, end)).orElseGet(() -> strided(runs, item).call(GATHER + item,
                        runs.byteSize() / item, runs.start(), target));
    }

    private static void convert(Runs runs, DType from, long target, DType to, List<KernelCall> calls) {
        int size = from.bits() / 8;
        if (runs.rank() == 0) {
            part(from, runs.start(), to, target, runs.run() / size, calls);
            return;
        }
        Optional<UnitFunction> function = UnitFunction.of(from, to);
        Optional<KernelCall> rows = function.isPresent() ? UnitCall.rows(function.get(), runs, target)
                : rows(PairFunction.of(from, to), runs, from, target, to);
        calls.add(rows.orElseGet(() -> strided(runs, size).formats(Format.of(from), Format.of(to)).chunk(1).call(
                CONVERT, runs.byteSize() / size, runs.start(), target)));
    }

    /// Rows of whole aligned units with a gap between, if they are that.
    private static Optional<KernelCall> rows(PairFunction function, Runs rows, DType from, long target, DType to) {
        long row = rows.run() * 8 / from.bits();
        int unit = function.elements();
        if (rows.rank() != 1 || rows.step(0) < rows.run() || row % unit != 0 || row == unit
                || !function.isAligned(rows.start(), target) || !function.isAligned(rows.step(0), 0)) {
            return Optional.empty();
        }
        long units = row / unit * rows.dim(0);
        return Optional.of(new Launch().formats(Format.of(from), Format.of(to)).units(0, units, units * unit, unit)
                .stride(0, rows.step(0) - rows.run()).dim(0, row / unit)
                .call(function.name(), rows.start(), target));
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
        names.addAll(PairFunction.names());
        names.add(CONVERT);
        names.add(DEQUANTIZE);
        for (int item = 1; item <= 16; item *= 2) {
            names.add(GATHER + item);
            names.add(TileCall.name(item));
            if (item < 16) {
                names.add(PickCall.name(item));
            }
        }
        return List.copyOf(names);
    }

    /// The position of the next part of a gather.
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

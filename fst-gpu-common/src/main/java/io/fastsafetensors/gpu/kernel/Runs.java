package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.spi.Strided;
import java.util.Arrays;
import java.util.function.Consumer;

/// A strided view as bytes: contiguous runs of equal length, and the dimensions around them, innermost first. What lies
/// in each other without a gap is merged, and dimensions of one index are dropped. Immutable.
final class Runs {
    private final long start;
    private final long run;
    private final long[] dims;
    private final long[] steps;

    private Runs(long start, long run, long[] dims, long[] steps) {
        this.start = start;
        this.run = run;
        this.dims = dims;
        this.steps = steps;
    }

    /// A view of at least one element.
    ///
    /// @param size bytes of an element
    /// @param start the byte of the view's element 0
    static Runs of(Strided view, int size, long start) {
        long run = size;
        long[] dims = new long[view.shape().rank()];
        long[] steps = new long[dims.length];
        int rank = 0;
        for (int d = dims.length - 1; d >= 0; d--) {
            long dim = view.shape().dim(d);
            long step = view.stride(d) * size;
            if (dim == 1) {
                continue;
            }
            if (rank == 0 && step == run) {
                run *= dim;
            } else if (rank > 0 && step == steps[rank - 1] * dims[rank - 1]) {
                dims[rank - 1] *= dim;
            } else {
                dims[rank] = dim;
                steps[rank++] = step;
            }
        }
        return new Runs(start + view.offset() * size, run, Arrays.copyOf(dims, rank), Arrays.copyOf(steps, rank));
    }

    /// The first byte of the first run.
    long start() {
        return start;
    }

    /// Bytes of a run.
    long run() {
        return run;
    }

    /// How many dimensions there are around the runs; each has at least two indices.
    int rank() {
        return dims.length;
    }

    long dim(int d) {
        return dims[d];
    }

    /// Bytes between neighbours along dimension `d`.
    long step(int d) {
        return steps[d];
    }

    /// Bytes of all runs.
    long byteSize() {
        return Arrays.stream(dims).reduce(run, (a, b) -> a * b);
    }

    /// The largest power of two, at most 16, that divides the runs' length, everything that leads to their starts, and
    /// `target`.
    int alignment(long target) {
        long bits = start | run | target | 16;
        for (long step : steps) {
            bits |= step;
        }
        return (int) Long.lowestOneBit(bits);
    }

    /// Cuts into parts that one call each can do, in order: fewer than [Launch#ITEMS] items, and few dimensions.
    ///
    /// @param item bytes of an item
    void split(int item, Consumer<Runs> parts) {
        int outer = dims.length - 1;
        boolean fits = byteSize() / item < Launch.ITEMS;
        if (fits && outer + 1 < Launch.RANK) {
            parts.accept(this);
            return;
        }
        long most = (Launch.ITEMS - 16) * item;
        if (outer < 0) {
            for (long done = 0; done < run; done += most) {
                parts.accept(new Runs(start + done, Math.min(most, run - done), dims, steps));
            }
            return;
        }
        long each = byteSize() / dims[outer];
        long together = fits ? 1 : Math.clamp(most / each, 1, dims[outer]);
        for (long index = 0; index < dims[outer]; index += together) {
            part(index, Math.min(together, dims[outer] - index)).split(item, parts);
        }
    }

    /// Some indices of the outermost dimension.
    private Runs part(long from, long count) {
        int outer = dims.length - 1;
        long begin = start + from * steps[outer];
        if (count == 1) {
            return new Runs(begin, run, Arrays.copyOf(dims, outer), Arrays.copyOf(steps, outer));
        }
        long[] some = dims.clone();
        some[outer] = count;
        return new Runs(begin, run, some, steps);
    }
}

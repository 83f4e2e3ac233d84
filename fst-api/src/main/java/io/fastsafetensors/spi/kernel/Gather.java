package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.fastsafetensors.spi.Strided;
import java.lang.foreign.MemorySegment;

/// Walks a strided view in order and writes its elements one after another. Used by one thread.
///
/// Dimensions that lie in each other without a gap are merged first, so that a contiguous run is one copy.
final class Gather {
    /// Bytes of one element.
    private int size;
    /// The dimensions that are left, innermost first, and the bytes between neighbours along each.
    private final long[] dims;
    private final long[] steps;
    private int rank;
    /// Where the walk stands: the index in each dimension, and the byte at index 0 of the innermost one.
    private final long[] index;
    private long line;

    /// @param view at least one element, all of them inside the source
    /// @param size bytes of one element: 1, 2, 4 or 8
    /// @param start the byte of the view's element 0
    Gather(Strided view, int size, long start) {
        int most = Math.max(view.shape().rank(), 1);
        this.size = size;
        this.dims = new long[most];
        this.steps = new long[most];
        this.index = new long[most];
        this.line = start + view.offset() * size;
        for (int d = view.shape().rank() - 1; d >= 0; d--) {
            append(view.shape().dim(d), view.stride(d) * size);
        }
        if (rank == 0) {
            dims[0] = 1;
            steps[0] = size;
            rank = 1;
        }
    }

    private void append(long dim, long step) {
        if (rank > 0 && step == steps[rank - 1] * dims[rank - 1]) {
            dims[rank - 1] *= dim;
        } else if (dim != 1) {
            dims[rank] = dim;
            steps[rank] = step;
            rank++;
        }
    }

    /// Whether the view is one contiguous run; it then begins at [#start()].
    boolean isContiguous() {
        return rank == 1 && steps[0] == size;
    }

    /// The byte of the view's first element, before the walk.
    long start() {
        return line;
    }

    /// Takes short contiguous runs of 2, 4 or 8 bytes as one element each.
    ///
    /// @return how many elements there are now for each one before: 1, or one part of them
    int widen() {
        long bytes = dims[0] * size;
        if (rank < 2 || steps[0] != size || (bytes != 2 && bytes != 4 && bytes != 8)) {
            return 1;
        }
        int run = (int) dims[0];
        size = (int) bytes;
        rank--;
        System.arraycopy(dims, 1, dims, 0, rank);
        System.arraycopy(steps, 1, steps, 0, rank);
        return run;
    }

    /// Writes the next elements of the walk to consecutive places.
    ///
    /// @param at the byte in the target
    void next(MemorySegment source, MemorySegment target, long at, long elements) {
        long to = at;
        long left = elements;
        while (left > 0) {
            long run = Math.min(left, dims[0] - index[0]);
            copy(source, line + index[0] * steps[0], target, to, run);
            index[0] += run;
            to += run * size;
            left -= run;
            if (index[0] == dims[0]) {
                nextLine();
            }
        }
    }

    private void nextLine() {
        index[0] = 0;
        for (int d = 1; d < rank; d++) {
            line += steps[d];
            if (++index[d] < dims[d]) {
                return;
            }
            line -= steps[d] * dims[d];
            index[d] = 0;
        }
    }

    private void copy(MemorySegment source, long from, MemorySegment target, long to, long run) {
        long step = steps[0];
        if (step == size) {
            MemorySegment.copy(source, from, target, to, run * size);
            return;
        }
        switch (size) {
            case 1 -> {
                for (long i = 0; i < run; i++) {
                    target.set(JAVA_BYTE, to + i, source.get(JAVA_BYTE, from + i * step));
                }
            }
            case 2 -> {
                for (long i = 0; i < run; i++) {
                    target.set(JAVA_SHORT_UNALIGNED, to + 2 * i, source.get(JAVA_SHORT_UNALIGNED, from + i * step));
                }
            }
            case 4 -> {
                for (long i = 0; i < run; i++) {
                    target.set(JAVA_INT_UNALIGNED, to + 4 * i, source.get(JAVA_INT_UNALIGNED, from + i * step));
                }
            }
            case 8 -> {
                for (long i = 0; i < run; i++) {
                    target.set(JAVA_LONG_UNALIGNED, to + 8 * i, source.get(JAVA_LONG_UNALIGNED, from + i * step));
                }
            }
            default -> throw new AssertionError(size);
        }
    }
}

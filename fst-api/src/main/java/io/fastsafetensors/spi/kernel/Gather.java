package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

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

    /// Gathers all of the view where that is done part by part; null where it is walked.
    ///
    /// @param conversion what makes `to` of the elements; null if they stay what they are
    @Nullable
    Transposition transposition(@Nullable Conversion conversion, DType to) {
        int contiguous = Transposition.contiguous(size, dims, steps, rank);
        return contiguous == 0 ? null
                : new Transposition(size, dims, steps, rank, contiguous, line, conversion, to);
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
        // Elements of one call, so that the loops below count in ints.
        long most = 1 << 20;
        for (long done = 0; done < run; done += most) {
            int count = (int) Math.min(most, run - done);
            strided(source, from + done * step, step, target, to + done * size, count);
        }
    }

    /// C2 leaves out the checks of bounds where it sees the step as a constant.
    private void strided(MemorySegment source, long from, long step, MemorySegment target, long to, int count) {
        switch (size) {
            case 1 -> {
                if (step == -1) {
                    bytes(source, from, -1, target, to, count);
                } else if (step == 2) {
                    bytes(source, from, 2, target, to, count);
                } else {
                    bytes(source, from, step, target, to, count);
                }
            }
            case 2 -> {
                if (step == -2) {
                    shorts(source, from, -2, target, to, count);
                } else if (step == 4) {
                    shorts(source, from, 4, target, to, count);
                } else {
                    shorts(source, from, step, target, to, count);
                }
            }
            case 4 -> {
                if (step == -4) {
                    ints(source, from, -4, target, to, count);
                } else if (step == 8) {
                    ints(source, from, 8, target, to, count);
                } else {
                    ints(source, from, step, target, to, count);
                }
            }
            case 8 -> {
                if (step == -8) {
                    longs(source, from, -8, target, to, count);
                } else if (step == 16) {
                    longs(source, from, 16, target, to, count);
                } else {
                    longs(source, from, step, target, to, count);
                }
            }
            default -> throw new AssertionError(size);
        }
    }

    private static void bytes(MemorySegment source, long from, long step, MemorySegment target, long to, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_BYTE, to + i, source.get(JAVA_BYTE, from + i * step));
        }
    }

    private static void shorts(MemorySegment source, long from, long step, MemorySegment target, long to, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_SHORT_UNALIGNED, to + 2L * i, source.get(JAVA_SHORT_UNALIGNED, from + i * step));
        }
    }

    private static void ints(MemorySegment source, long from, long step, MemorySegment target, long to, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_INT_UNALIGNED, to + 4L * i, source.get(JAVA_INT_UNALIGNED, from + i * step));
        }
    }

    private static void longs(MemorySegment source, long from, long step, MemorySegment target, long to, int count) {
        for (int i = 0; i < count; i++) {
            target.set(JAVA_LONG_UNALIGNED, to + 8L * i, source.get(JAVA_LONG_UNALIGNED, from + i * step));
        }
    }
}

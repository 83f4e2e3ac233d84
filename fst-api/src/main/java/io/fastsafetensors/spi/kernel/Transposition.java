package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Gathers a view whose elements lie next to each other along another dimension than the innermost one, part by part: each
/// is read in the order of the source and written in that of the target, so that no cache line is fetched once for each of
/// its elements. Used by one thread.
final class Transposition {
    /// Elements of a part along the dimension that is contiguous in the source, and along the innermost one.
    private static final int ROWS = 128;
    private static final int COLUMNS = 64;
    /// From one column to the next: no power of two, so that those of a row do not contend for a few places of the cache.
    private static final int PITCH = ROWS + 1;
    /// Elements of a part.
    static final int TILE = PITCH * COLUMNS;
    /// Views smaller than this along either dimension gain nothing.
    private static final int FEWEST = 8;

    private final int size;
    private final long[] dims;
    private final long[] steps;
    private final int rank;
    private final int rows;
    private final long start;
    /// Converts what is gathered; null if it stays what it is.
    private final @Nullable Conversion conversion;
    private final int targetSize;
    private final Scratch scratch = Scratch.mine();

    /// @param size bytes of an element of the source
    /// @param dims innermost first, and the bytes between neighbours along each in `steps`
    /// @param rows the dimension that is contiguous in the source
    /// @param start the byte of the view's first element
    /// @param conversion what makes `to` of the elements; null if they stay what they are
    Transposition(int size, long[] dims, long[] steps, int rank, int rows, long start, @Nullable Conversion conversion,
            DType to) {
        this.size = size;
        this.dims = dims;
        this.steps = steps;
        this.rank = rank;
        this.rows = rows;
        this.start = start;
        this.conversion = conversion;
        this.targetSize = conversion == null ? size : to.bits() / 8;
    }

    /// The dimension along which neighbours lie next to each other, if it is not the innermost one and a view is large enough
    /// for this; else 0.
    static int contiguous(int size, long[] dims, long[] steps, int rank) {
        if (dims[0] >= FEWEST && steps[0] != size) {
            for (int d = 1; d < rank; d++) {
                if (steps[d] == size && dims[d] >= FEWEST) {
                    return d;
                }
            }
        }
        return 0;
    }

    /// Writes all elements.
    ///
    /// @param at the byte of the first one in the target
    void run(MemorySegment source, MemorySegment target, long at) {
        planes(rank - 1, source, start, target, at);
    }

    /// Fixes the dimensions but two, one after the other.
    private void planes(int dim, MemorySegment source, long from, MemorySegment target, long to) {
        if (dim == 0) {
            plane(source, from, target, to);
        } else if (dim == rows) {
            planes(dim - 1, source, from, target, to);
        } else {
            long step = targetStep(dim);
            for (long i = 0; i < dims[dim]; i++) {
                planes(dim - 1, source, from + i * steps[dim], target, to + i * step);
            }
        }
    }

    /// Bytes between neighbours along a dimension in the target.
    private long targetStep(int dim) {
        long step = targetSize;
        for (int d = 0; d < dim; d++) {
            step *= dims[d];
        }
        return step;
    }

    private void plane(MemorySegment source, long from, MemorySegment target, long to) {
        long step = targetStep(rows);
        for (long row = 0; row < dims[rows]; row += ROWS) {
            int height = (int) Math.min(ROWS, dims[rows] - row);
            for (long column = 0; column < dims[0]; column += COLUMNS) {
                int width = (int) Math.min(COLUMNS, dims[0] - column);
                long[] tile = scratch.tile();
                long first = from + row * size + column * steps[0];
                for (int c = 0; c < width; c++) {
                    load(source, first + c * steps[0], tile, c * PITCH, height);
                }
                long out = to + row * step + column * targetSize;
                for (int r = 0; r < height; r++) {
                    if (conversion == null) {
                        store(tile, r, target, out + r * step, width);
                    } else {
                        store(tile, r, scratch.gathered, 0, width);
                        conversion.run(scratch, scratch.gathered, 0, target, out + r * step, width);
                    }
                }
            }
        }
    }

    /// Reads elements that follow each other.
    private void load(MemorySegment source, long at, long[] tile, int first, int count) {
        switch (size) {
            case 1 -> {
                for (int i = 0; i < count; i++) {
                    tile[first + i] = source.get(JAVA_BYTE, at + i);
                }
            }
            case 2 -> {
                for (int i = 0; i < count; i++) {
                    tile[first + i] = source.get(JAVA_SHORT_UNALIGNED, at + 2L * i);
                }
            }
            case 4 -> {
                for (int i = 0; i < count; i++) {
                    tile[first + i] = source.get(JAVA_INT_UNALIGNED, at + 4L * i);
                }
            }
            default -> MemorySegment.copy(source, JAVA_LONG_UNALIGNED, at, tile, first, count);
        }
    }

    /// Writes one row of the target.
    private void store(long[] tile, int row, MemorySegment target, long at, int count) {
        switch (size) {
            case 1 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_BYTE, at + i, (byte) tile[i * PITCH + row]);
                }
            }
            case 2 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_SHORT_UNALIGNED, at + 2L * i, (short) tile[i * PITCH + row]);
                }
            }
            case 4 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_INT_UNALIGNED, at + 4L * i, (int) tile[i * PITCH + row]);
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_LONG_UNALIGNED, at + 8L * i, tile[i * PITCH + row]);
                }
            }
        }
    }
}

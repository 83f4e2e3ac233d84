package io.fastsafetensors.gpu.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The fields of `struct fst_launch`, whose comments in the source say what they mean; this class says where they are.
/// Used by one thread, for one call.
final class Launch {
    /// Divides every device's limit, and fills one of 2,048 threads with eight.
    static final int GROUP_SIZE = 256;
    /// Dimensions that one call takes.
    static final int RANK = 8;
    /// Items (elements, or bytes of a copy) of one call are fewer than this: indices in the kernels have 32 bits, and
    /// their division is exact below 2^31.
    static final long ITEMS = 1L << 30;
    /// Eight rounds of every thread that the largest GPUs run at once (132 × 2,048 on an H200), so that the last round
    /// leaves few of them idle.
    private static final int MOST_GROUPS = 8 * 132 * 2048 / GROUP_SIZE;
    /// Items that a thread has in flight.
    private static final int IN_FLIGHT = 4;

    private static final int BYTES = 224;
    private static final int STRIDES = 0;
    private static final int DIMS = 64;
    private static final int MULTIPLIERS = 96;
    private static final int SHIFTS = 128;
    private static final int SCALARS = 160;
    private static final int FROM = 192;
    private static final int TO = 208;

    private final ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /// Sets the distance in bytes between neighbours along dimension `d`, counted from the innermost.
    Launch stride(int d, long stride) {
        bytes.putLong(STRIDES + 8 * d, stride);
        return this;
    }

    /// Sets the size of dimension `d`, counted likewise, and what divides an index below 2^31 by it: a multiplication,
    /// of which the upper half is shifted right (Granlund and Montgomery, "Division by invariant integers using
    /// multiplication").
    ///
    /// @param size 2 to 2^31
    Launch dim(int d, long size) {
        int log = Long.SIZE - Long.numberOfLeadingZeros(size - 1);
        long power = 1L << (31 + log);
        long multiplier = power / size + (power % size == 0 ? 0 : 1);
        bytes.putInt(DIMS + 4 * d, (int) size);
        bytes.putInt(MULTIPLIERS + 4 * d, (int) multiplier);
        bytes.putInt(SHIFTS + 4 * d, log - 1);
        return this;
    }

    /// As [#dim], also of size 1, which the function that reads it knows.
    Launch divisor(int d, long size) {
        if (size == 1) {
            bytes.putInt(DIMS + 4 * d, 1);
            return this;
        }
        return dim(d, size);
    }

    Launch rank(int rank) {
        return scalar(0, rank);
    }

    Launch count(long elements) {
        return scalar(1, elements);
    }

    Launch chunk(int elements) {
        return scalar(2, elements);
    }

    Launch aligned(boolean aligned) {
        return scalar(3, aligned ? 1 : 0);
    }

    /// Sets which elements go in units, and which one by one.
    ///
    /// @param head elements before unit 0
    /// @param end how many units
    /// @param count how many elements
    /// @param unit elements of a unit
    Launch units(long head, long end, long count, int unit) {
        long tail = head + end * unit;
        return count(count).scalar(4, head).scalar(5, end).scalar(6, tail).scalar(7, head + count - tail);
    }

    /// Sets how many units are gathered, and what is taken of each.
    ///
    /// @param spread 2 if every other item is dropped, else 1
    /// @param second whether the dropped ones are the first
    Launch picks(long count, int spread, boolean second, boolean reversed) {
        return count(count).chunk(spread).scalar(4, second ? 1 : 0).scalar(7, reversed ? 1 : 0);
    }

    Launch formats(Format from, Format to) {
        from.write(bytes, FROM);
        to.write(bytes, TO);
        return this;
    }

    private Launch scalar(int place, long value) {
        bytes.putInt(SCALARS + 4 * place, Math.toIntExact(value));
        return this;
    }

    /// A call of a function that works on units, with as many groups as they keep busy.
    KernelCall call(String function, long sourceOffset, long targetOffset) {
        long units = Math.max(bytes.getInt(SCALARS + 4 * 5), bytes.getInt(SCALARS + 4 * 7));
        return call(function, units, sourceOffset, targetOffset);
    }

    /// The call, with as many groups as the work keeps busy.
    ///
    /// @param items independent pieces of work
    KernelCall call(String function, long items, long sourceOffset, long targetOffset) {
        long groups = Math.clamp(Math.ceilDiv(items, (long) GROUP_SIZE * IN_FLIGHT), 1, MOST_GROUPS);
        return new KernelCall(function, (int) groups, sourceOffset, targetOffset, bytes.array());
    }
}

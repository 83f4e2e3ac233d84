package io.fastsafetensors.spi.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// One thread's arrays for one run of elements, small enough for the first-level cache. Allocated at a thread's first
/// kernel, so that the data path allocates nothing.
final class Scratch {
    /// Elements of a run; a multiple of 8, so that runs of sub-byte elements begin on whole bytes.
    static final int RUN = 2048;

    private static final ThreadLocal<Scratch> MINE = ThreadLocal.withInitial(Scratch::new);

    /// Elements as bits, up to 64 each.
    final long[] wide = new long[RUN];
    /// Elements as bits, up to 32 each.
    final int[] lanes = new int[RUN];
    /// A second set of [#lanes].
    final int[] other = new int[RUN];
    final float[] floats = new float[RUN];
    /// Elements of a part of a matrix on their way to its transpose; made by the thread's first one.
    private long @Nullable [] tile;
    /// Gathered elements. Native as buffers are, so that the loops see one kind of segment.
    final MemorySegment gathered = Arena.ofAuto().allocate((long) RUN * Long.BYTES, Long.BYTES);

    private final MemorySegment lanesView = MemorySegment.ofArray(lanes);
    private final MemorySegment otherView = MemorySegment.ofArray(other);
    private final MemorySegment floatsView = MemorySegment.ofArray(floats);

    private Scratch() {
    }

    static Scratch mine() {
        return MINE.get();
    }

    /// Memory for [Transposition#TILE] elements.
    long[] tile() {
        long[] mine = tile;
        if (mine == null) {
            mine = new long[Transposition.TILE];
            tile = mine;
        }
        return mine;
    }

    /// The bits of [#lanes] become [#floats]. C2 vectorises this copy, but not `Float.intBitsToFloat`.
    void lanesToFloats(int count) {
        MemorySegment.copy(lanesView, 0, floatsView, 0, (long) count * Float.BYTES);
    }

    /// The bits of [#floats] become [#lanes].
    void floatsToLanes(int count) {
        MemorySegment.copy(floatsView, 0, lanesView, 0, (long) count * Float.BYTES);
    }

    /// The bits of [#floats] become [#other].
    void floatsToOther(int count) {
        MemorySegment.copy(floatsView, 0, otherView, 0, (long) count * Float.BYTES);
    }
}

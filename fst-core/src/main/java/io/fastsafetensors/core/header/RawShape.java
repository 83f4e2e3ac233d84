package io.fastsafetensors.core.header;

import io.fastsafetensors.types.Shape;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A shape as the header spells it: unsigned 64-bit dimensions. Shared by the tensors that have it. For one thread
/// while a header is read; the [Shape] that comes out is immutable.
final class RawShape {
    private final long[] dims;
    private @Nullable Shape shape;

    /// A cache of recent shapes, so that the few that a model has are made once, not for each tensor. A header with
    /// many shapes gains nothing and loses next to nothing.
    ///
    /// Direct-mapped: a shape that falls on the slot of another one replaces it. The multiplier is 2^64 divided by
    /// the golden ratio.
    static final class Cache {
        private static final int SLOTS = 256;

        private final @Nullable RawShape[] slots = new RawShape[SLOTS];

        /// The shape of the first `rank` numbers of `dims`.
        RawShape get(long[] dims, int rank) {
            long hash = rank;
            for (int i = 0; i < rank; i++) {
                hash = (hash ^ dims[i]) * 0x9E3779B97F4A7C15L;
            }
            int slot = (int) (hash >>> 32) & (SLOTS - 1);
            RawShape known = slots[slot];
            if (known == null || !known.is(dims, rank)) {
                known = new RawShape(Arrays.copyOf(dims, rank));
                slots[slot] = known;
            }
            return known;
        }
    }

    /// Takes the array over.
    RawShape(long[] dims) {
        this.dims = dims;
    }

    int rank() {
        return dims.length;
    }

    /// Unsigned.
    long dim(int index) {
        return dims[index];
    }

    /// Whether it is made of the first `rank` numbers of `other`.
    boolean is(long[] other, int rank) {
        return Arrays.equals(dims, 0, dims.length, other, 0, rank);
    }

    /// The same for the world outside; no dimension may exceed a long. Made once: a model has a dozen shapes and a
    /// hundred thousand tensors.
    Shape toShape() {
        Shape made = shape;
        if (made == null) {
            made = Shape.of(dims);
            shape = made;
        }
        return made;
    }

    @Override
    public String toString() {
        // As much as a message can show of a shape that may have any rank.
        int shown = Math.min(dims.length, 16);
        StringBuilder text = new StringBuilder("[");
        for (int i = 0; i < shown; i++) {
            text.append(i == 0 ? "" : ",").append(Long.toUnsignedString(dims[i]));
        }
        return text.append(shown < dims.length ? ",…]" : "]").toString();
    }
}

package io.fastsafetensors.core.header;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The shapes seen lately, so that the few that a model has are made once, not for each tensor. A header that has
/// many gains nothing and loses next to nothing.
final class ShapeTable {
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

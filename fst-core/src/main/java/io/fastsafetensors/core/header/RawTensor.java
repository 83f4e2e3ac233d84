package io.fastsafetensors.core.header;

import io.fastsafetensors.types.DType;
import java.util.Comparator;

/// A tensor's entry as the header spells it, not yet believed: all numbers are unsigned 64-bit, offsets relative to
/// the data section.
record RawTensor(String name, DType dtype, RawShape shape, long begin, long end) {
    /// The order of the checks.
    static final Comparator<RawTensor> BY_RANGE = (a, b) -> {
        int order = Long.compareUnsigned(a.begin, b.begin);
        return order != 0 ? order : Long.compareUnsigned(a.end, b.end);
    };
}

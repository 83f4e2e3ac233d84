package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.types.DType;
import org.jspecify.annotations.Nullable;

/// The bits of one element of one dtype → the bits of the same value in another: any pair without C64.
final class Recode {
    private final @Nullable FloatFormat sourceFloat;
    private final @Nullable FloatFormat targetFloat;
    private final IntFormat source;
    private final IntFormat target;
    private final boolean sourceIsBool;
    private final boolean targetIsBool;

    Recode(DType from, DType to) {
        sourceFloat = FloatFormat.of(from);
        targetFloat = FloatFormat.of(to);
        source = IntFormat.of(from);
        target = IntFormat.of(to);
        sourceIsBool = from == DType.BOOL;
        targetIsBool = to == DType.BOOL;
    }

    /// @param raw the element's bits, the rest zero
    long apply(long raw) {
        if (sourceFloat != null) {
            return fromFloat(sourceFloat.toBinary64(raw));
        }
        long value = sourceIsBool ? Math.min(raw, 1) : source.extend(raw);
        boolean negative = source.signed() && value < 0;
        long magnitude = negative ? -value : value;
        if (targetFloat != null) {
            return targetFloat.fromNumber(negative, magnitude, 0);
        }
        return targetIsBool ? bool(magnitude != 0) : target.fromInteger(negative, magnitude);
    }

    private long fromFloat(long value) {
        if (targetFloat != null) {
            return targetFloat.fromBinary64(value);
        }
        return targetIsBool ? bool(!Binary64.isZero(value)) : target.fromBinary64(value);
    }

    /// The results for every element of a source of at most 8 bits, by the element's bits.
    long[] table(int bits) {
        long[] table = new long[1 << bits];
        for (int raw = 0; raw < table.length; raw++) {
            table[raw] = apply(raw);
        }
        return table;
    }

    private static long bool(boolean value) {
        return value ? 1 : 0;
    }
}

package io.fastsafetensors.core.deliver;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The magnitudes of one dtype that are finite and too large for another one. Immutable.
final class OverflowLimit {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final Map<Pair, Optional<OverflowLimit>> MADE = new ConcurrentHashMap<>();
    private static final int SIXTEEN_BIT_MAGNITUDE = 0x7FFF;

    private final int bits;
    /// Codes without sign from here on, and before infinity.
    private final long from;
    private final long infinity;

    private record Pair(DType from, DType to) {
    }

    private OverflowLimit(int bits, long from, long infinity) {
        this.bits = bits;
        this.from = from;
        this.infinity = infinity;
    }

    /// Null if every finite number of the one dtype is within the other's, or the pair has no notion of it.
    static @Nullable OverflowLimit of(DType from, DType to) {
        return MADE.computeIfAbsent(new Pair(from, to), pair -> Optional.ofNullable(make(pair.from, pair.to)))
                .orElse(null);
    }

    private static @Nullable OverflowLimit make(DType from, DType to) {
        double limit = limit(to);
        OverflowLimit made = switch (from) {
            case F64 -> new OverflowLimit(64, Double.doubleToRawLongBits(limit), 0x7FF0L << 48);
            case F32 -> new OverflowLimit(32, singleAtLeast(limit), 0x7F80_0000L);
            case BF16 -> new OverflowLimit(16, (singleAtLeast(limit) + 0xFFFF) >>> 16, 0x7F80);
            case F16 -> new OverflowLimit(16, halfAtLeast(limit), 0x7C00);
            case F8_E5M2 -> new OverflowLimit(8, (halfAtLeast(limit) + 0xFF) >>> 8, 0x7C);
            default -> new OverflowLimit(8, 1, 0);
        };
        return made.from < made.infinity ? made : null;
    }

    /// The smallest magnitude that rounds past the largest number: half a step beyond it, where the tie goes to the even
    /// code, which is the next one but for F8_E4M3.
    private static double limit(DType to) {
        return switch (to) {
            case F32 -> 0x1.ffffffp127;
            case BF16 -> 0x1.ffp127;
            case F16 -> 65520;
            case F8_E5M2, F8_E5M2FNUZ -> 61440;
            case F8_E4M3 -> Math.nextUp(464.0);
            case F8_E4M3FNUZ -> 248;
            case F6_E3M2 -> 30;
            case F6_E2M3 -> 7.75;
            case F4 -> 7;
            default -> Double.POSITIVE_INFINITY;
        };
    }

    private static long singleAtLeast(double limit) {
        float nearest = (float) limit;
        return Float.floatToRawIntBits(nearest < limit ? Math.nextUp(nearest) : nearest);
    }

    private static long halfAtLeast(double limit) {
        int code = 0;
        while (code < 0x7C00 && Float.float16ToFloat((short) code) < limit) {
            code++;
        }
        return code;
    }

    /// How many there are among consecutive elements.
    long count(MemorySegment memory, long offset, long bytes) {
        long beyond = 0;
        switch (bits) {
            case 8 -> {
                for (long at = 0; at < bytes; at++) {
                    beyond += isBeyond(memory.get(ValueLayout.JAVA_BYTE, offset + at) & 0x7F);
                }
            }
            case 16 -> {
                for (long at = 0; at < bytes; at += Short.BYTES) {
                    beyond += isBeyond(memory.get(SHORT, offset + at) & SIXTEEN_BIT_MAGNITUDE);
                }
            }
            case 32 -> {
                for (long at = 0; at < bytes; at += Integer.BYTES) {
                    beyond += isBeyond(memory.get(INT, offset + at) & Integer.MAX_VALUE);
                }
            }
            default -> {
                for (long at = 0; at < bytes; at += Long.BYTES) {
                    beyond += isBeyond(memory.get(LONG, offset + at) & Long.MAX_VALUE);
                }
            }
        }
        return beyond;
    }

    private int isBeyond(long magnitude) {
        return magnitude >= from && magnitude < infinity ? 1 : 0;
    }
}

package io.fastsafetensors.spi.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;

/// From elements smaller than a byte to those of 8 to 32 bits: two neighbours are looked up together and stored at once.
final class PackedConversion extends Conversion {
    private final int from;
    private final int to;
    /// The results for each pair of elements, the first one in the low bits. Of six bits each 32 KiB, which fits the
    /// first-level cache.
    private final long[] pairs;

    PackedConversion(DType from, DType to) {
        super(from, to);
        this.from = from.bits();
        this.to = to.bits();
        long[] table = new Recode(from, to).table(this.from);
        this.pairs = new long[1 << (2 * this.from)];
        for (int pair = 0; pair < pairs.length; pair++) {
            pairs[pair] = table[pair & table.length - 1] | table[pair >> this.from] << this.to;
        }
    }

    static boolean serves(DType from, DType to) {
        return from.bits() < 8 && to.bits() >= 8 && to.bits() <= 32;
    }

    @Override
    void run(Scratch scratch, MemorySegment source, long sourceAt, MemorySegment target, long targetAt, int count) {
        if (from == 4) {
            loadBytes(source, sourceAt, pairs, scratch.wide, count >> 1);
        } else {
            loadTriples(source, sourceAt, pairs, scratch.wide, count >> 1);
        }
        store(scratch.wide, target, targetAt, count >> 1);
    }

    private static void loadBytes(MemorySegment source, long at, long[] pairs, long[] out, int count) {
        for (int i = 0; i < count; i++) {
            out[i] = pairs[source.get(JAVA_BYTE, at + i) & 0xFF];
        }
    }

    /// Three bytes are two pairs.
    private static void loadTriples(MemorySegment source, long at, long[] pairs, long[] out, int count) {
        for (int i = 0; i < count >> 1; i++) {
            int four = (source.get(JAVA_SHORT_UNALIGNED, at + 3L * i) & 0xFFFF)
                    | (source.get(JAVA_BYTE, at + 3L * i + 2) & 0xFF) << 16;
            out[2 * i] = pairs[four & 0xFFF];
            out[2 * i + 1] = pairs[four >> 12];
        }
    }

    private void store(long[] results, MemorySegment target, long at, int count) {
        switch (to) {
            case 8 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_SHORT_UNALIGNED, at + 2L * i, (short) results[i]);
                }
            }
            case 16 -> {
                for (int i = 0; i < count; i++) {
                    target.set(JAVA_INT_UNALIGNED, at + 4L * i, (int) results[i]);
                }
            }
            default -> MemorySegment.copy(results, 0, target, JAVA_LONG_UNALIGNED, at, count);
        }
    }
}

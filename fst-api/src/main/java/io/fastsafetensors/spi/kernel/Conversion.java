package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Converts elements of one dtype to another, run by run. Stateless but for tables; shared by all threads.
abstract sealed class Conversion permits Conversion.General, HotConversion, PackedConversion, WideConversion {
    private static final Map<Pair, Conversion> MADE = new ConcurrentHashMap<>();

    private final int sourceBits;
    private final int targetBits;

    Conversion(DType from, DType to) {
        sourceBits = from.bits();
        targetBits = to.bits();
    }

    /// The way of a pair of different dtypes without C64; made at the first question.
    static Conversion of(DType from, DType to) {
        return MADE.computeIfAbsent(new Pair(from, to),
                pair -> HotConversion.serves(from, to) ? new HotConversion(from, to)
                        : WideConversion.serves(from, to) ? new WideConversion(from, to)
                                : PackedConversion.serves(from, to) ? new PackedConversion(from, to)
                                        : new General(from, to));
    }

    /// Converts any number of consecutive elements.
    ///
    /// @param sourceAt the first element's byte in the source, `targetAt` that in the target
    final void convert(MemorySegment source, long sourceAt, MemorySegment target, long targetAt, long elements) {
        Scratch scratch = Scratch.mine();
        for (long done = 0; done < elements; done += Scratch.RUN) {
            int count = (int) Math.min(Scratch.RUN, elements - done);
            run(scratch, source, sourceAt + Packing.bytes(sourceBits, done), target,
                    targetAt + Packing.bytes(targetBits, done), count);
        }
    }

    /// Converts at most [Scratch#RUN] elements.
    abstract void run(Scratch scratch, MemorySegment source, long sourceAt, MemorySegment target, long targetAt,
            int count);

    private record Pair(DType from, DType to) {
    }

    /// The pairs that are left, from at most 8 bits to 64, or to less than 8 from less than 8: by a table.
    static final class General extends Conversion {
        private final int from;
        private final int to;
        private final Recode recode;
        private final long[] table;

        private General(DType from, DType to) {
            super(from, to);
            this.from = from.bits();
            this.to = to.bits();
            this.recode = new Recode(from, to);
            this.table = from.bits() <= 8 ? recode.table(from.bits()) : new long[0];
        }

        @Override
        void run(Scratch scratch, MemorySegment source, long sourceAt, MemorySegment target, long targetAt,
                int count) {
            long[] wide = scratch.wide;
            Packing.load(from, source, sourceAt, wide, count);
            if (table.length > 0) {
                for (int i = 0; i < count; i++) {
                    wide[i] = table[(int) wide[i]];
                }
            } else {
                for (int i = 0; i < count; i++) {
                    wide[i] = recode.apply(wide[i]);
                }
            }
            Packing.store(to, wide, target, targetAt, count);
        }
    }
}

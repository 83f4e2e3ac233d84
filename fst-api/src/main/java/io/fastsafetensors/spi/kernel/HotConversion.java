package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The pairs whose elements pass through int lanes: from every dtype of 16 bits and more to every float narrower than F32,
/// from all of these but U64 to F32, and from every 8-bit dtype to every one of at most 32 bits. A run is loaded as F32 (8-bit
/// elements: as the result, by a table), rounded in place and stored.
///
/// Values that F32 cannot represent (F64, integers of 32 and 64 bits) are loaded *rounded to odd*: cut off, with the last bit
/// set if anything was lost. Rounding that to two bits less or more, which all narrower floats are, gives what rounding the
/// element itself does.
final class HotConversion extends Conversion {
    private static final Set<DType> NARROWER = EnumSet.of(DType.BF16, DType.F16, DType.F8_E4M3, DType.F8_E5M2,
            DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ, DType.F8_E8M0, DType.F6_E2M3, DType.F6_E3M2, DType.F4);
    private static final Set<DType> TO_F32 = EnumSet.of(DType.BF16, DType.F16, DType.F64, DType.I16, DType.U16,
            DType.I32, DType.U32, DType.I64);

    private final DType from;
    private final DType to;
    private final int[] table;
    private final @Nullable Narrowing narrowing;

    HotConversion(DType from, DType to) {
        super(from, to);
        this.from = from;
        this.to = to;
        this.table = from.bits() == 8 ? intTable(new Recode(from, to)) : new int[0];
        FloatFormat format = FloatFormat.of(to);
        this.narrowing = format != null && NARROWER.contains(to) && to != DType.BF16 && to != DType.F8_E8M0
                ? format.narrowing() : null;
    }

    static boolean serves(DType from, DType to) {
        if (from.bits() == 8) {
            return to.bits() <= 32;
        }
        return from.bits() > 8 && (NARROWER.contains(to) || (to == DType.F32 && TO_F32.contains(from)));
    }

    @Override
    void run(Scratch scratch, MemorySegment source, long sourceAt, MemorySegment target, long targetAt, int count) {
        int[] lanes = scratch.lanes;
        if (table.length > 0) {
            HotLoops.loadBytes(source, sourceAt, table, lanes, count);
        } else if (from == DType.F32 && to == DType.BF16) {
            HotLoops.loadF32AsBf16(source, sourceAt, lanes, count);
        } else {
            loadF32(scratch, source, sourceAt, count);
            round(scratch, count);
        }
        switch (to.bits()) {
            case 4 -> HotLoops.storeNibbles(lanes, target, targetAt, count);
            case 6 -> HotLoops.storeSixBits(lanes, target, targetAt, count);
            case 8 -> HotLoops.storeBytes(lanes, target, targetAt, count);
            case 16 -> HotLoops.storeShorts(lanes, target, targetAt, count);
            default -> HotLoops.storeInts(lanes, target, targetAt, count);
        }
    }

    private void loadF32(Scratch scratch, MemorySegment source, long at, int count) {
        switch (from) {
            case F32, F16, BF16 -> HotLoops.loadFloats(from, scratch, source, at, count);
            case F64 -> {
                if (to == DType.F32) {
                    HotLoops.loadF64AsF32(source, at, scratch.lanes, count);
                } else {
                    HotLoops.loadF64AsOddF32(source, at, scratch.lanes, count);
                }
            }
            default -> {
                if (to == DType.F32) {
                    HotLoops.loadIntegersAsF32(from, scratch, source, at, count);
                } else {
                    HotLoops.loadIntegersAsOddF32(from, scratch, source, at, count);
                }
            }
        }
    }

    private void round(Scratch scratch, int count) {
        if (narrowing != null) {
            narrowing.apply(scratch, count);
        } else if (to == DType.BF16) {
            HotLoops.f32ToBf16(scratch.lanes, count);
        } else if (to == DType.F8_E8M0) {
            HotLoops.f32ToE8m0(scratch.lanes, count);
        }
    }

    private static int[] intTable(Recode recode) {
        long[] wide = recode.table(8);
        int[] table = new int[wide.length];
        for (int i = 0; i < table.length; i++) {
            table[i] = (int) wide[i];
        }
        return table;
    }
}

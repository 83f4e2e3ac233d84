package io.fastsafetensors.spi.kernel;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The common pairs: from F32, BF16 and F16 to each other and to the 8-bit floats, from every 8-bit dtype to every
/// dtype of 8 to 32 bits, and F64 → F32. A run is loaded as F32 (8-bit elements: as the result, by a table), rounded
/// in place and stored.
final class HotConversion extends Conversion {
    private static final Set<DType> SOURCES = EnumSet.of(DType.F32, DType.BF16, DType.F16);
    private static final Set<DType> NARROW = EnumSet.of(DType.F16, DType.F8_E4M3, DType.F8_E5M2, DType.F8_E4M3FNUZ,
            DType.F8_E5M2FNUZ);

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
        this.narrowing = format != null && NARROW.contains(to) ? format.narrowing() : null;
    }

    static boolean serves(DType from, DType to) {
        if (from.bits() == 8) {
            return to.bits() >= 8 && to.bits() <= 32;
        }
        return SOURCES.contains(from) ? SOURCES.contains(to) || NARROW.contains(to)
                : from == DType.F64 && to == DType.F32;
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
            case 8 -> HotLoops.storeBytes(lanes, target, targetAt, count);
            case 16 -> HotLoops.storeShorts(lanes, target, targetAt, count);
            default -> HotLoops.storeInts(lanes, target, targetAt, count);
        }
    }

    private void loadF32(Scratch scratch, MemorySegment source, long at, int count) {
        switch (from) {
            case F32 -> HotLoops.loadInts(source, at, scratch.lanes, count);
            case F64 -> HotLoops.loadF64AsF32(source, at, scratch.lanes, count);
            case BF16 -> {
                HotLoops.loadShorts(source, at, scratch.lanes, count);
                HotLoops.bf16ToF32(scratch.lanes, count);
            }
            case F16 -> {
                HotLoops.loadShorts(source, at, scratch.lanes, count);
                HotLoops.f16ToF32(scratch, count);
            }
            default -> throw new AssertionError(from);
        }
    }

    private void round(Scratch scratch, int count) {
        if (narrowing != null) {
            narrowing.apply(scratch, count);
        } else if (to == DType.BF16) {
            HotLoops.f32ToBf16(scratch.lanes, count);
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

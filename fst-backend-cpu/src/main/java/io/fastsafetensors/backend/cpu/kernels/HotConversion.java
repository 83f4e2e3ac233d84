package io.fastsafetensors.backend.cpu.kernels;

import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;

/// The common pairs: from F32, BF16, F16 and every 8-bit dtype to F32, BF16 and F16, and F64 → F32. A run is loaded
/// as F32 (8-bit elements: as the result, by a table), rounded in place and stored.
final class HotConversion extends Conversion {
    private static final Set<DType> WIDE = EnumSet.of(DType.F32, DType.BF16, DType.F16);

    private final DType from;
    private final DType to;
    private final int[] table;

    HotConversion(DType from, DType to) {
        super(from, to);
        this.from = from;
        this.to = to;
        this.table = from.bits() == 8 ? narrow(new Recode(from, to).table(8)) : new int[0];
    }

    static boolean serves(DType from, DType to) {
        return (WIDE.contains(to) && (WIDE.contains(from) || from.bits() == 8))
                || (from == DType.F64 && to == DType.F32);
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
        if (to == DType.F32) {
            HotLoops.storeInts(lanes, target, targetAt, count);
        } else {
            HotLoops.storeShorts(lanes, target, targetAt, count);
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
        if (to == DType.BF16) {
            HotLoops.f32ToBf16(scratch.lanes, count);
        } else if (to == DType.F16) {
            HotLoops.f32ToF16(scratch, count);
        }
    }

    private static int[] narrow(long[] table) {
        int[] narrow = new int[table.length];
        for (int i = 0; i < table.length; i++) {
            narrow[i] = (int) table[i];
        }
        return narrow;
    }
}

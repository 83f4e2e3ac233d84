package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.types.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A function that converts any elements of one size to any of another, in whole units: a table of all results for
/// elements of up to 8 bits, else through F32 or through 64-bit numbers. It makes no part of a unit, and both sides of
/// a unit are aligned to the largest power of two in their sizes.
///
/// @param name of the function
/// @param elements of a unit
/// @param sourceUnit bytes of a unit in the source
/// @param targetUnit bytes of a unit in the target
record PairFunction(String name, int elements, int sourceUnit, int targetUnit) {
    private static final int UNIT = 16;
    private static final int[] SIZES = {4, 6, 8, 16, 32, 64};

    /// By the sizes of source and target; a launch looks its function up.
    private static final Map<Integer, PairFunction> ALL = all();

    private static Map<Integer, PairFunction> all() {
        Map<Integer, PairFunction> all = new LinkedHashMap<>();
        for (int from : SIZES) {
            for (int to : SIZES) {
                // Of four bits there is one dtype.
                if (from != 4 || to != 4) {
                    all.put(key(from, to), make(from, to));
                }
            }
        }
        return all;
    }

    private static int key(int from, int to) {
        return from << 8 | to;
    }

    private static PairFunction make(int from, int to) {
        int elements = elements(from, to);
        String way = from <= 8 ? "table" : to <= 16 ? "narrow" : "wide";
        return new PairFunction("fst_" + way + "_" + from + "_" + to, elements, elements * from / 8,
                elements * to / 8);
    }

    /// As many as 16 bytes of the wider side hold, made such that neither side ends within a byte.
    private static int elements(int from, int to) {
        int most = UNIT * 8 / Math.max(8, Math.max(from, to));
        return from == 6 || to == 6 ? Math.max(most, 4) : most;
    }

    /// The function for a pair of different dtypes without C64.
    static PairFunction of(DType from, DType to) {
        return Objects.requireNonNull(ALL.get(key(from.bits(), to.bits())));
    }

    /// The names of all of them.
    static List<String> names() {
        return ALL.values().stream().map(PairFunction::name).toList();
    }

    /// Elements before the first unit of a line, or -1 if no unit of it is aligned on both sides.
    ///
    /// @param source where the line begins
    /// @param target likewise
    long head(long source, long target) {
        int granule = granule();
        for (int head = 0; head < 2 * UNIT; head += granule) {
            if (isAligned(source + (long) head * sourceUnit / elements, target + (long) head * targetUnit / elements)) {
                return head;
            }
        }
        return -1;
    }

    /// Whether units that lie one after another from there on are aligned.
    boolean isAligned(long source, long target) {
        return source % Integer.lowestOneBit(sourceUnit | UNIT) == 0
                && target % Integer.lowestOneBit(targetUnit | UNIT) == 0;
    }

    /// The fewest elements that are whole bytes on both sides.
    private int granule() {
        int granule = 1;
        while (granule * sourceUnit % elements != 0 || granule * targetUnit % elements != 0) {
            granule *= 2;
        }
        return granule;
    }
}

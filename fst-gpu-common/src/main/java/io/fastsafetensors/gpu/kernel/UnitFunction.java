package io.fastsafetensors.gpu.kernel;

import io.fastsafetensors.types.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/// A function of the source that works on units: as many consecutive elements as 16 bytes of the wider side hold.
///
/// @param name of the function
/// @param sourceBytes of one element
/// @param targetBytes of one element
record UnitFunction(String name, int sourceBytes, int targetBytes) {
    /// Copies bytes.
    static final UnitFunction COPY = new UnitFunction("fst_copy", 1, 1);

    private static final Set<DType> HALVES = Set.of(DType.F16, DType.BF16);
    private static final Set<DType> EIGHTS = Set.of(DType.F8_E4M3, DType.F8_E5M2);
    private static final int UNIT = 16;

    /// The function made for a pair, if there is one: the common floats among each other.
    static Optional<UnitFunction> of(DType from, DType to) {
        boolean common = switch (from) {
            case F64 -> to == DType.F32 || HALVES.contains(to);
            case F32 -> HALVES.contains(to) || EIGHTS.contains(to);
            case F16, BF16 -> to == DType.F32 || HALVES.contains(to) || EIGHTS.contains(to);
            case F8_E4M3, F8_E5M2 -> to == DType.F32 || HALVES.contains(to);
            default -> false;
        };
        return common && from != to
                ? Optional.of(new UnitFunction(
                        "fst_" + from.name().toLowerCase(Locale.ROOT) + "_to_" + to.name().toLowerCase(Locale.ROOT),
                        from.bits() / 8, to.bits() / 8))
                : Optional.empty();
    }

    /// The names of all of them.
    static List<String> names() {
        List<String> names = new ArrayList<>(List.of(COPY.name));
        for (DType from : DType.values()) {
            for (DType to : DType.values()) {
                of(from, to).ifPresent(function -> names.add(function.name));
            }
        }
        return names;
    }

    /// Elements in a unit.
    int elements() {
        return UNIT / Math.max(sourceBytes, targetBytes);
    }

    /// Source bytes of a unit.
    int sourceUnit() {
        return elements() * sourceBytes;
    }

    /// Target bytes of a unit.
    int targetUnit() {
        return elements() * targetBytes;
    }
}

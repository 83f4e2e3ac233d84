package io.fastsafetensors.gpu.kernel;

import java.util.Optional;

/// Makes calls of the functions that work on units. Offsets are in bytes from the start of a buffer, which is aligned
/// to more than a unit.
///
/// Units are cut where the target is aligned. A source that is not aligned there is read word by word and shifted, and
/// may read up to four bytes past a unit; so its last unit goes element by element.
final class UnitCall {
    private UnitCall() {
    }

    /// Consecutive elements.
    ///
    /// @param count at least 1, fewer than [Launch#ITEMS]
    static KernelCall line(UnitFunction function, long source, long target, long count) {
        int unit = function.elements();
        boolean whole = target % function.targetBytes() == 0;
        long head = whole ? Math.floorMod(-(target / function.targetBytes()), (long) unit) : count;
        if (head + unit > count) {
            return call(function, new Launch().units(count, 0, count, unit), source, target);
        }
        boolean aligned = (source + head * function.sourceBytes()) % function.sourceUnit() == 0;
        long units = (count - head) / unit - (aligned ? 0 : 1);
        return call(function, new Launch().aligned(aligned).units(head, units, count, unit), source, target);
    }

    /// Rows of the same length with a gap between, if they can be cut into units and follow each other in the source.
    ///
    /// @param rows the source
    static Optional<KernelCall> rows(UnitFunction function, Runs rows, long target) {
        int unit = function.elements();
        long row = rows.run() / function.sourceBytes();
        if (rows.rank() != 1 || rows.step(0) < rows.run() || row % unit != 0 || row == unit
                || target % function.targetUnit() != 0) {
            return Optional.empty();
        }
        boolean aligned = rows.start() % function.sourceUnit() == 0 && rows.step(0) % function.sourceUnit() == 0;
        long count = row * rows.dim(0);
        Launch launch = new Launch().aligned(aligned).units(0, count / unit - (aligned ? 0 : 1), count, unit)
                .stride(0, rows.step(0) - rows.run()).dim(0, row / unit).dim(1, row);
        return Optional.of(call(function, launch, rows.start(), target));
    }

    private static KernelCall call(UnitFunction function, Launch launch, long source, long target) {
        return launch.call(function.name(), source, target);
    }
}

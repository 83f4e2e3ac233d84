package io.fastsafetensors.gpu.kernel;

import java.util.Optional;

/// Makes calls that gather rows which are reversed, or of which every other item is dropped, in units of 16 bytes.
final class PickCall {
    private static final int UNIT = 16;

    private PickCall() {
    }

    /// The function for items of a size.
    static String name(int item) {
        return "fst_pick_" + item;
    }

    /// The call, if the innermost dimension has such a step and everything is aligned to units.
    ///
    /// @param end where the source's buffer ends: items that are dropped are read, but nothing from there on
    static Optional<KernelCall> of(Runs runs, long target, long end) {
        int item = Math.toIntExact(Math.min(runs.run(), UNIT));
        if (runs.rank() == 0 || Integer.bitCount(item) != 1 || item != runs.run() || item >= UNIT
                || target % UNIT != 0 || runs.dim(0) * item % UNIT != 0) {
            return Optional.empty();
        }
        long step = runs.step(0);
        boolean reversed = step < 0;
        long spread = Math.abs(step) / item;
        if (Math.abs(step) % item != 0 || spread > 2 || spread == 0 || (spread == 1 && !reversed)) {
            return Optional.empty();
        }
        long units = runs.dim(0) * item / UNIT;
        // Where the first unit's lowest item stands.
        long lowest = runs.start() + (reversed ? step * (UNIT / item - 1) : 0);
        long phase = lowest % UNIT;
        if (phase != 0 && (spread == 1 || phase != item)) {
            return Optional.empty();
        }
        long begin = lowest - phase;
        long highest = begin + (reversed ? 0 : (units - 1) * UNIT * spread) + UNIT * spread;
        Launch launch = new Launch();
        int rank = 0;
        if (units > 1) {
            launch.dim(rank, units).stride(rank, (reversed ? -UNIT : UNIT) * spread);
            rank++;
        }
        for (int d = 1; d < runs.rank(); d++) {
            if (runs.step(d) % UNIT != 0) {
                return Optional.empty();
            }
            highest += Math.max(0, runs.step(d)) * (runs.dim(d) - 1);
            launch.dim(rank, runs.dim(d)).stride(rank, runs.step(d));
            rank++;
        }
        if (rank == 0 || highest > end) {
            return Optional.empty();
        }
        long count = runs.byteSize() / UNIT;
        return Optional.of(launch.rank(rank).picks(count, (int) spread, phase != 0, reversed)
                .call(name(item), 2 * count, begin, target));
    }
}

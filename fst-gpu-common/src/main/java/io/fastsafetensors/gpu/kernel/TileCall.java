package io.fastsafetensors.gpu.kernel;

import java.util.Optional;

/// Makes calls that gather transposed items through tiles in local memory.
final class TileCall {
    /// Dimensions beside the two of the tiles.
    private static final int AROUND = 3;
    private static final int WORD = 4;
    /// A dimension shorter than this leaves most of a tile empty.
    private static final int FEWEST = 8;

    private TileCall() {
    }

    /// The function for items of a size.
    static String name(int item) {
        return "fst_transpose_" + item;
    }

    /// Rows of a tile, and columns.
    private static int side(int item) {
        return switch (item) {
            case 1 -> 128;
            case 2, 4 -> 64;
            default -> 32;
        };
    }

    /// The call, if the view is transposed: items of `item` bytes, of which some dimension but the innermost has
    /// neighbours.
    ///
    /// @param item bytes, a power of two up to 16 that divides all steps
    static Optional<KernelCall> of(Runs runs, int item, long target) {
        int rank = runs.rank();
        if (runs.run() != item || rank < 2 || rank > 2 + AROUND || runs.dim(0) < FEWEST) {
            return Optional.empty();
        }
        for (int d = 1; d < rank; d++) {
            if (runs.step(d) == item && runs.dim(d) >= FEWEST) {
                return Optional.of(call(runs, item, d, target));
            }
        }
        return Optional.empty();
    }

    private static KernelCall call(Runs runs, int item, int contiguous, long target) {
        Launch launch = new Launch();
        long words = runs.start() | target | runs.dim(0) * item | runs.dim(contiguous) * item;
        long place = item;
        int around = 2;
        long tiles = 1;
        for (int d = 0; d < runs.rank(); d++) {
            if (d == 0) {
                launch.dim(0, runs.dim(0)).stride(0, runs.step(0));
                tiles *= tiles(launch, 5, runs.dim(0), item);
                words |= runs.step(0);
            } else if (d == contiguous) {
                launch.dim(1, runs.dim(d)).stride(1, place);
                tiles *= tiles(launch, 6, runs.dim(d), item);
            } else {
                launch.dim(around, runs.dim(d)).stride(around, runs.step(d)).stride(around + AROUND, place);
                tiles *= runs.dim(d);
                words |= runs.step(d);
                around++;
            }
            place *= runs.dim(d);
        }
        long each = (long) side(item) * side(item) / 16;
        return launch.rank(around).count(tiles).aligned(words % WORD == 0).call(name(item),
                tiles * each, runs.start(), target);
    }

    private static long tiles(Launch launch, int d, long size, int item) {
        long tiles = Math.ceilDiv(size, (long) side(item));
        launch.divisor(d, tiles);
        return tiles;
    }
}

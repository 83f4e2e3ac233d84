package io.fastsafetensors.core.distribute;

import io.fastsafetensors.core.memory.ProcessLimit;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.ReadPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Cuts the blocks of a plan into windows, and each window into one run of blocks for each rank: what a rank reads of a
/// window lies together in each file's buffer, so that a window moves in one operation, however small the blocks are.
/// Immutable; the same on every rank.
final class Windows {
    /// A first window is small, so that the first tensors come soon.
    private static final long FIRST = 16L << 20;
    private static final long MOST = 128L << 20;

    /// The first block of each window, and the number of blocks.
    private final int[] starts;
    private final List<List<Piece>> pieces;
    private final int ranks;

    /// Blocks of one file that one rank reads.
    ///
    /// @param rank the rank
    /// @param first the first block
    /// @param end the block after the last one
    record Piece(int rank, int first, int end) {
    }

    private Windows(int[] starts, List<List<Piece>> pieces, int ranks) {
        this.starts = starts;
        this.pieces = pieces;
        this.ranks = ranks;
    }

    /// The bytes that a window has at most, but for what fills a round of blocks: the system property
    /// `fst.exchangeBytes`, or 128 MiB.
    static long mostBytes() {
        return ProcessLimit.bytes("fst.exchangeBytes", 1).orElse(MOST);
    }

    /// The windows of a plan. They grow from a small one, and get smaller towards the end, where nothing is read beside
    /// them any more.
    ///
    /// A window doubles from one to the next up to the most, and towards the end it is half of what is left, but no
    /// smaller than the first one. A window has a multiple of the ranks' number of blocks, but for the last one.
    ///
    /// @param mostBytes see [#mostBytes()]
    static Windows of(ReadPlan plan, int ranks, long mostBytes) {
        BlockTable blocks = plan.blocks();
        List<List<Piece>> pieces = new ArrayList<>();
        List<Integer> starts = new ArrayList<>();
        long left = plan.bytesToRead();
        long most = Math.min(FIRST, mostBytes);
        int turn = 0;
        for (int first = 0; first < blocks.size();) {
            long wanted = Math.min(most, Math.max(Math.min(FIRST, mostBytes), left / 2));
            long bytes = 0;
            int end = first;
            while (end < blocks.size() && (bytes < wanted || (end - first) % ranks != 0)) {
                bytes += blocks.end(end) - blocks.start(end);
                end++;
            }
            List<Piece> window = new ArrayList<>();
            for (int from = first; from < end;) {
                int to = endOfFile(blocks, from, end);
                turn = deal(from, to, ranks, turn, window);
                from = to;
            }
            starts.add(first);
            pieces.add(List.copyOf(window));
            first = end;
            left -= bytes;
            most = Math.min(mostBytes, 2 * most);
        }
        starts.add(blocks.size());
        return new Windows(starts.stream().mapToInt(Integer::intValue).toArray(), pieces, ranks);
    }

    /// The block after the last one, before `end`, of the file that block `from` is of.
    private static int endOfFile(BlockTable blocks, int from, int end) {
        int to = from;
        while (to < end && blocks.file(to) == blocks.file(from)) {
            to++;
        }
        return to;
    }

    /// Gives each rank an equal run of some blocks of one file, those left over to the ranks whose turn it is.
    ///
    /// The turn goes round through the whole plan, so that ranks read equally many blocks in the end.
    ///
    /// @return whose turn it is afterwards
    private static int deal(int from, int to, int ranks, int turn, List<Piece> window) {
        int each = (to - from) / ranks;
        int over = (to - from) % ranks;
        int at = from;
        for (int rank = 0; rank < ranks; rank++) {
            int count = each + (Math.floorMod(rank - turn, ranks) < over ? 1 : 0);
            if (count > 0) {
                window.add(new Piece(rank, at, at + count));
            }
            at += count;
        }
        return (turn + over) % ranks;
    }

    /// How many windows.
    int size() {
        return pieces.size();
    }

    /// The first block of a window; the number of blocks for the window after the last one.
    int start(int window) {
        return starts[window];
    }

    /// What a window is made of, by the order of the blocks.
    List<Piece> pieces(int window) {
        return pieces.get(window);
    }

    /// The blocks that a rank reads, in the order of the windows.
    int[] blocksOf(int rank) {
        return pieces.stream().flatMap(List::stream).filter(piece -> piece.rank() == rank)
                .flatMapToInt(piece -> IntStream.range(piece.first(), piece.end())).toArray();
    }

    @Override
    public String toString() {
        return pieces.size() + " windows for " + ranks + " ranks";
    }
}

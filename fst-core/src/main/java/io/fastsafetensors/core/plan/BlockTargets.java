package io.fastsafetensors.core.plan;

/// The target of each block of a plan: one range of its file's buffer, no two overlapping. Padding between tensors may
/// be inside.
public final class BlockTargets {
    private final long[] start;
    private final long[] end;

    /// Those of a plan.
    public BlockTargets(ReadPlan plan) {
        BlockTable blocks = plan.blocks();
        start = new long[blocks.size()];
        end = new long[blocks.size()];
        int tensor = 0;
        for (int b = 0; b < start.length; b++) {
            tensor = b > 0 && blocks.file(b) == blocks.file(b - 1) ? tensor : 0;
            if (blocks.target(b) != BlockTable.MOVED) {
                start[b] = blocks.target(b) + blocks.start(b) - Pages.floor(blocks.start(b));
                end[b] = start[b] + blocks.end(b) - blocks.start(b);
            } else {
                tensor = cover(b, blocks.start(b), blocks.end(b), plan.planned().get(blocks.file(b)).tensors(), tensor);
            }
        }
    }

    /// @param from the first tensor that may have bytes in the block
    /// @return the first one that may have bytes in the next block
    private int cover(int block, long first, long last, PlannedTensors tensors, int from) {
        int at = from;
        while (at < tensors.size() && tensors.fileEnd(at) <= first) {
            at++;
        }
        boolean found = false;
        for (int t = at; t < tensors.size() && tensors.fileStart(t) < last; t++) {
            PlannedTensor tensor = tensors.get(t);
            if (tensor.byteSize() > 0 && tensor.fileEnd() > first) {
                start[block] = found ? start[block] : tensor.targetOf(Math.max(first, tensor.fileStart()));
                end[block] = tensor.targetOf(Math.min(last, tensor.fileEnd()));
                found = true;
            }
        }
        return at;
    }

    /// The first byte in the buffer.
    public long start(int block) {
        return start[block];
    }

    /// How many bytes, 0 for a block that holds nothing that is wanted.
    public long bytes(int block) {
        return end[block] - start[block];
    }

    /// Whether blocks follow one another in one buffer, all of one size and none empty.
    ///
    /// @param blocks their numbers
    public boolean areEqualNeighbours(int[] blocks) {
        for (int i = 0; i < blocks.length; i++) {
            boolean follows = i == 0 || start[blocks[i]] == end[blocks[i - 1]];
            if (!follows || bytes(blocks[i]) != bytes(blocks[0]) || bytes(blocks[i]) == 0) {
                return false;
            }
        }
        return true;
    }
}

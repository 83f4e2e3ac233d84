package io.fastsafetensors.core.plan;

/// Where each block of a plan lands: one range of its file's buffer, no two overlapping. Padding between tensors may be
/// inside.
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

    /// The range of the buffer that blocks fill which follow one another, padding between their tensors included.
    ///
    /// @param from the first block
    /// @param to the block after the last one, of the same file
    /// @return the first byte and the one after the last; equal if nothing in them is wanted
    public long[] range(int from, int to) {
        int first = from;
        while (first < to && bytes(first) == 0) {
            first++;
        }
        int last = to - 1;
        while (last > first && bytes(last) == 0) {
            last--;
        }
        return first >= to ? new long[] {0, 0} : new long[] {start[first], end[last]};
    }

    /// How many bytes, 0 for a block that holds nothing that is wanted.
    public long bytes(int block) {
        return end[block] - start[block];
    }
}

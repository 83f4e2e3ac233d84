package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.header.Overflows;
import io.fastsafetensors.core.transfer.BlockListener;
import io.fastsafetensors.core.plan.PlannedTensor;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.shard.Part;
import java.lang.foreign.MemorySegment;

/// Counts the numbers of a load that the dtype they are converted to has no place for, in the blocks as they were read. Any
/// number of readers at a time.
final class OverflowCount implements BlockListener {
    private final ReadPlan plan;
    private final Overflows counts;

    private OverflowCount(ReadPlan plan, Overflows counts) {
        this.plan = plan;
        this.counts = counts;
    }

    /// What has to see the blocks of a plan; [BlockListener#NONE] if no conversion of it can lose a number.
    static BlockListener of(ReadPlan plan, Overflows counts) {
        boolean any = plan.planned().stream().filter(file -> file.converts()).anyMatch(file -> file.tensors().stream()
                .anyMatch(tensor -> OverflowLimit.of(tensor.info().dtype(), tensor.dtype()) != null));
        return any ? new OverflowCount(plan, counts) : NONE;
    }

    @Override
    public void read(int block, MemorySegment memory, long base) {
        PlannedTensors tensors = plan.planned().get(plan.blocks().file(block)).tensors();
        long start = plan.blocks().start(block);
        long end = plan.blocks().end(block);
        for (int t = tensors.firstEndingAfter(start); t < tensors.size() && tensors.info(t).fileOffset() < end; t++) {
            OverflowLimit limit =
                    tensors.isConverted(t) ? OverflowLimit.of(tensors.info(t).dtype(), tensors.dtype(t)) : null;
            long first = Math.max(start, tensors.fileStart(t));
            long last = Math.min(end, tensors.fileEnd(t));
            if (limit != null && first < last) {
                long beyond = tensors.isGathered(t) ? rows(limit, tensors.get(t), first, last, memory, base)
                        : limit.count(memory, first - base, last - first);
                if (beyond > 0) {
                    counts.of(tensors.info(t).name()).add(beyond);
                }
            }
        }
    }

    private static long rows(OverflowLimit limit, PlannedTensor tensor, long first, long last, MemorySegment memory,
            long base) {
        Part part = tensor.part();
        long origin = tensor.fileStart();
        long beyond = 0;
        for (long row = (first - origin) / part.rowBytes(); origin + row * part.rowBytes() < last; row++) {
            long from = Math.max(first, origin + row * part.rowBytes());
            long to = Math.min(last, origin + row * part.rowBytes() + part.runBytes());
            beyond += from < to ? limit.count(memory, from - base, to - from) : 0;
        }
        return beyond;
    }
}

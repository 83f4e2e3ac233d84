package io.fastsafetensors.core.plan;

import io.fastsafetensors.api.Selection;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.TensorInfo;
import java.util.Optional;

/// The inputs of a plan besides headers.
///
/// Ranks that share a load must have the same ones; [ReadPlan#digest()] compares them.
///
/// @param tensorAlignment what every tensor's place is a multiple of; 0 asks for the element's own alignment
/// @param blockBytes bytes of one read, a multiple of the page size
/// @param dtype what floating-point tensors are converted to, if anything
/// @param keep those that are not
public record PlanSettings(long tensorAlignment, int blockBytes, Optional<DType> dtype, Selection keep) {
    /// Where tensors that are moved anyway are aligned on the CPU: a cache line, the widest vector.
    private static final long MOVED_ALIGNMENT = 64;

    /// The fewest bytes of a block: less costs more calls than it saves memory.
    public static final int SMALLEST_BLOCK = 64 << 10;

    /// The same with blocks small enough for slots of so many bytes, as far as that goes.
    ///
    /// @param bytes of a slot; where that is less than the least slot, blocks are of [#SMALLEST_BLOCK] all the same
    public PlanSettings withSlotsUpTo(long bytes) {
        long block = Math.max(SMALLEST_BLOCK, Pages.floor(bytes - 2L * Pages.SIZE));
        return block >= blockBytes ? this : new PlanSettings(tensorAlignment, (int) block, dtype, keep);
    }

    /// Bytes of a slot that can take any block, both ends widened to whole pages.
    public long slotBytes() {
        return blockBytes + 2L * Pages.SIZE;
    }

    /// The alignment that a tensor must have.
    long alignmentOf(TensorInfo tensor) {
        return tensorAlignment != 0 ? tensorAlignment : tensor.dtype().alignment();
    }

    /// The alignment that a tensor gets when it is moved anyway.
    long movedAlignment() {
        return Math.max(tensorAlignment, MOVED_ALIGNMENT);
    }

    /// What a tensor is loaded as: the dtype asked for if it is a float, its own otherwise.
    public DType target(TensorInfo tensor) {
        return dtype.isPresent() && tensor.dtype().isFloat() && !keep.test(tensor) ? dtype.get() : tensor.dtype();
    }

    /// What ranks compare: of two selections nobody knows whether they are one.
    @Override
    public String toString() {
        return "alignment " + tensorAlignment + ", blocks of " + blockBytes + ", dtype "
                + dtype.map(DType::name).orElse("as in the files");
    }
}

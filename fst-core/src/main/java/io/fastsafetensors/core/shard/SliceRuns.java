package io.fastsafetensors.core.shard;

import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;

/// Walks over the runs of bytes that a slice takes of a tensor, by rising offset: where each begins in the tensor and where
/// it goes in the result. Allocates nothing on the way; for one thread.
public final class SliceRuns {
    private final long[] counts;
    private final long[] sourceStrides;
    private final long[] targetStrides;
    private final long[] index;
    private final long runBytes;
    private long remaining;
    private long source;
    private long target;

    private SliceRuns(int dims, long runBytes, long runs) {
        this.counts = new long[dims];
        this.sourceStrides = new long[dims];
        this.targetStrides = new long[dims];
        this.index = new long[dims];
        this.runBytes = runBytes;
        this.remaining = runs;
    }

    /// At the first run of a slice of a tensor of that dtype.
    public static SliceRuns of(DType dtype, SliceView slice) {
        if (slice.contiguous()) {
            SliceRuns one = new SliceRuns(0, slice.byteSize(), slice.byteSize() == 0 ? 0 : 1);
            one.source = slice.byteOffset();
            return one;
        }
        long unit = dtype.isSubByte() ? 1 : dtype.bits() / 8;
        Strided view = slice.view();
        Shape shape = view.shape();
        int outer = shape.rank();
        long run = 1;
        while (outer > 0 && (view.stride(outer - 1) == run || shape.dim(outer - 1) == 1)) {
            run *= shape.dim(--outer);
        }
        long runs = 1;
        for (int d = 0; d < outer; d++) {
            runs *= shape.dim(d);
        }
        SliceRuns walk = new SliceRuns(outer, run * unit, runs);
        walk.source = view.offset() * unit;
        long targetStride = walk.runBytes;
        for (int d = outer - 1; d >= 0; d--) {
            walk.dimension(d, shape.dim(d), view.stride(d) * unit, targetStride);
            targetStride *= shape.dim(d);
        }
        return walk;
    }

    /// What is walked backwards in the tensor is walked backwards in the result instead.
    private void dimension(int d, long count, long sourceStride, long targetStride) {
        boolean backwards = sourceStride < 0;
        counts[d] = count;
        sourceStrides[d] = Math.abs(sourceStride);
        targetStrides[d] = backwards ? -targetStride : targetStride;
        if (backwards) {
            source += (count - 1) * sourceStride;
            target += (count - 1) * targetStride;
        }
    }

    /// Whether there is a run here; false after the last.
    public boolean hasRun() {
        return remaining > 0;
    }

    /// The bytes of each run.
    public long runBytes() {
        return runBytes;
    }

    /// Where this run begins in the tensor, in bytes.
    public long source() {
        return source;
    }

    /// Where this run begins in the result, in bytes.
    public long target() {
        return target;
    }

    /// Goes to the next run.
    public void advance() {
        remaining--;
        for (int d = counts.length - 1; d >= 0; d--) {
            source += sourceStrides[d];
            target += targetStrides[d];
            if (++index[d] < counts[d]) {
                return;
            }
            index[d] = 0;
            source -= counts[d] * sourceStrides[d];
            target -= counts[d] * targetStrides[d];
        }
    }
}

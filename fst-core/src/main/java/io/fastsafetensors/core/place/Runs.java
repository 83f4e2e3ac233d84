package io.fastsafetensors.core.place;

import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensor;
import io.fastsafetensors.types.DType;
import java.util.List;

/// Cuts a block into the runs that move as one: consecutive tensors that keep their distances. Most blocks are one run,
/// since most tensors are multiples of the alignment; reused by one reader, so that nothing is allocated for a block.
final class Runs {
    /// What is done with a run.
    interface Sink {
        /// Moves bytes that keep their dtype.
        ///
        /// @param source the first byte, from the page of the block's first byte
        /// @param bytes how many
        /// @param target the first byte in the file's buffer
        void copy(long source, long bytes, long target);

        /// Converts elements.
        ///
        /// @param source the first byte, from the page of the block's first byte
        /// @param bytes how many
        /// @param from what they are
        /// @param target the first byte in the file's buffer
        /// @param to what they become
        /// @param elements how many
        void convert(long source, long bytes, DType from, long target, DType to, long elements);
    }

    private static final long NOWHERE = -1;

    private final Sink sink;
    private long base;
    private long runStart;
    private long runEnd;
    private long runTarget;
    private long runTargetEnd;
    private DType from = DType.U8;
    private DType to = DType.U8;

    Runs(Sink sink) {
        this.sink = sink;
    }

    /// Hands the runs of bytes `[start, end)` of a file to the sink.
    void forEach(PlannedFile file, long start, long end) {
        base = Pages.floor(start);
        runStart = start;
        runEnd = start;
        runTargetEnd = NOWHERE;
        List<PlannedTensor> tensors = file.tensors();
        for (int t = firstTouching(tensors, start); t < tensors.size(); t++) {
            PlannedTensor tensor = tensors.get(t);
            long tensorStart = tensor.info().fileOffset();
            if (tensorStart >= end) {
                break;
            }
            long first = Math.max(start, tensorStart);
            long last = Math.min(end, tensor.info().fileEnd());
            if (first < last) {
                add(tensor, first, last);
            }
        }
        flush();
    }

    private void add(PlannedTensor tensor, long first, long last) {
        DType source = tensor.info().dtype();
        DType result = tensor.dtype();
        long target = tensor.bufferOffset() + scaled(first - tensor.info().fileOffset(), source, result);
        boolean sameKind = tensor.isConverted() ? from == source && to == result : from == to;
        if (first != runEnd || target != runTargetEnd || !sameKind) {
            flush();
            runStart = first;
            runTarget = target;
            from = tensor.isConverted() ? source : DType.U8;
            to = tensor.isConverted() ? result : DType.U8;
        }
        runEnd = last;
        runTargetEnd = target + scaled(last - first, source, result);
    }

    private static long scaled(long bytes, DType source, DType result) {
        return source == result ? bytes : Math.multiplyExact(bytes, 8) / source.bits() * result.bits() / 8;
    }

    private void flush() {
        long bytes = runEnd - runStart;
        if (bytes == 0) {
            return;
        }
        if (from == to) {
            sink.copy(runStart - base, bytes, runTarget);
        } else {
            sink.convert(runStart - base, bytes, from, runTarget, to, bytes * 8 / from.bits());
        }
        runStart = runEnd;
    }

    /// The first tensor that ends after `start`.
    private static int firstTouching(List<PlannedTensor> tensors, long start) {
        int low = 0;
        int high = tensors.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (tensors.get(middle).info().fileEnd() <= start) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
}

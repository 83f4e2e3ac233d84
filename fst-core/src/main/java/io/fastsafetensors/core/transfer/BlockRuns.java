package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.PlannedTensors.PlannedTensor;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;

/// Cuts a block into the runs that move as one: consecutive tensors that keep their distances. Most blocks are one run,
/// since most tensors are multiples of the alignment; reused by one reader, so that nothing is allocated for a block.
///
/// A run ends where file and buffer stop running in parallel (an alignment gap, a tensor that is not loaded), where
/// the conversion changes, and at rows of a partition. Rows are handed over as one gather where they are many and
/// short, because a copy has a price of its own on every device; long ones are as fast one by one, and rows of
/// elements smaller than a byte go one by one where they are converted, because kernels gather whole bytes.
final class BlockRuns {
    /// Consumes runs.
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

        /// Puts the same run of bytes of many rows behind one another, converting them if the dtypes differ.
        ///
        /// @param source the first byte of the first run, from the page of the block's first byte
        /// @param rows where the runs lie
        /// @param from what their elements are; bytes where elements are smaller
        /// @param target the first byte in the file's buffer
        /// @param to what they become
        void gather(long source, Rows rows, DType from, long target, DType to);
    }

    /// Runs at equal distances.
    ///
    /// @param count how many
    /// @param stride from the first byte of one to that of the next
    /// @param bytes of each
    record Rows(long count, long stride, long bytes) {
        /// From the first byte of the first to the last one of the last.
        long span() {
            return (count - 1) * stride + bytes;
        }

        /// The runs as a view of elements.
        Strided view(DType dtype) {
            long elements = bytes * 8 / dtype.bits();
            return new Strided(Shape.of(count, elements), 0, new long[] {stride * 8 / dtype.bits(), 1});
        }
    }

    /// Runs as long as this move as fast one by one.
    private static final long LONG_RUN = 64 << 10;

    /// No place in a buffer: the next run joins none.
    private static final long NOWHERE = -1;

    private final Sink sink;
    /// The file offset of the page of the block's first byte, from which sources are counted.
    private long base;
    /// The pending run: the file bytes `[runStart, runEnd)`, empty between two runs, which go to `[runTarget,
    /// runTargetEnd)` of the buffer.
    private long runStart;
    private long runEnd;
    private long runTarget;
    private long runTargetEnd;
    /// What the pending run is and becomes; bytes both where it is copied, so that copies of tensors of several dtypes
    /// join.
    private DType from = DType.U8;
    private DType to = DType.U8;

    BlockRuns(Sink sink) {
        this.sink = sink;
    }

    /// Hands the runs of bytes `[start, end)` of a file to the sink.
    ///
    /// Bytes of the block that belong to no tensor of the plan are left out. The sink is called in the order of the
    /// file's bytes, and does not call back.
    void forEach(PlannedFile file, long start, long end) {
        base = Pages.floor(start);
        runStart = start;
        runEnd = start;
        runTargetEnd = NOWHERE;
        PlannedTensors tensors = file.tensors();
        for (int t = tensors.firstEndingAfter(start); t < tensors.size(); t++) {
            if (tensors.info(t).fileOffset() >= end) {
                break;
            }
            long first = Math.max(start, tensors.fileStart(t));
            long last = Math.min(end, tensors.fileEnd(t));
            if (first < last && tensors.isGathered(t)) {
                addRows(tensors, t, first, last);
            } else if (first < last) {
                add(tensors, t, first, last);
            }
        }
        flush();
    }

    /// The rows of a tensor between two bytes: those cut by the block's ends one by one, the whole ones together.
    ///
    /// At most the first and the last row are cut by the block's ends. Whole rows have equal distances, so a stride
    /// says where they are.
    private void addRows(PlannedTensors tensors, int index, long first, long last) {
        PlannedTensor tensor = tensors.get(index);
        Part part = tensor.part();
        long origin = tensor.fileStart();
        long row = (first - origin) / part.rowBytes();
        long lastRow = (last - 1 - origin) / part.rowBytes();
        if (first > origin + row * part.rowBytes()) {
            addRow(tensors, index, tensor, row++, first, last);
        }
        long whole = Math.floorDiv(last - origin - part.runBytes(), part.rowBytes()) + 1 - row;
        boolean together = whole > 1 && part.runBytes() < LONG_RUN
                && !(tensor.isConverted() && tensor.info().dtype().isSubByte());
        if (together) {
            flush();
            long start = origin + row * part.rowBytes();
            DType unit = tensor.info().dtype().isSubByte() ? DType.U8 : tensor.info().dtype();
            sink.gather(start - base, new Rows(whole, part.rowBytes(), part.runBytes()), unit, tensor.targetOf(start),
                    tensor.isConverted() ? tensor.dtype() : unit);
            row += whole;
        }
        while (row <= lastRow) {
            addRow(tensors, index, tensor, row++, first, last);
        }
    }

    /// What of one row lies between two bytes, if anything does.
    private void addRow(PlannedTensors tensors, int index, PlannedTensor tensor, long row, long first, long last) {
        long start = tensor.fileStart() + row * tensor.part().rowBytes();
        long from = Math.max(first, start);
        long to = Math.min(last, start + tensor.part().runBytes());
        if (from < to) {
            add(tensors, index, from, to);
        }
    }

    /// Joins bytes to the pending run where they follow it in the file and in the buffer, else begins another: one copy of
    /// a block takes a device less time than one of each tensor in it.
    private void add(PlannedTensors tensors, int index, long first, long last) {
        DType source = tensors.info(index).dtype();
        DType result = tensors.dtype(index);
        long target = tensors.targetOf(index, first);
        boolean converted = source != result;
        boolean sameKind = converted ? from == source && to == result : from == to;
        if (first != runEnd || target != runTargetEnd || !sameKind) {
            flush();
            runStart = first;
            runTarget = target;
            from = converted ? source : DType.U8;
            to = converted ? result : DType.U8;
        }
        runEnd = last;
        runTargetEnd = target + scaled(last - first, source, result);
    }

    /// The bytes that a run takes as another dtype. Blocks are cut at whole granules of what is converted, so nothing
    /// is rounded.
    private static long scaled(long bytes, DType source, DType result) {
        return source == result ? bytes : Math.multiplyExact(bytes, 8) / source.bits() * result.bits() / 8;
    }

    /// Hands the pending run to the sink.
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
        runTargetEnd = NOWHERE;
    }
}

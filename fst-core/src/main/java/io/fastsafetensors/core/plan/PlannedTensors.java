package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;
import org.jspecify.annotations.Nullable;

/// The planned tensors of one file, by offset, in flat arrays: a header can have hundreds of thousands. A [PlannedTensor]
/// is made when it is asked for; what moves blocks reads the columns. Immutable once planned.
///
/// The accessors by index give a column each, without making a [PlannedTensor]: readers call them for each tensor of
/// each block. The dtype and the bytes of a tensor are computed, since keeping them would cost more memory than time.
public final class PlannedTensors extends AbstractList<PlannedTensors.PlannedTensor> implements RandomAccess {
    private final PlanSettings settings;
    private final int file;
    /// Whether a tensor may have another dtype than its file has; where not, nobody asks the settings about each.
    private final boolean converts;
    private final List<TensorInfo> header;
    /// The tensors' numbers in the header; null if they are all of it.
    private final int @Nullable [] numbers;
    /// Null if they are all loaded as wholes.
    private final Part @Nullable [] parts;
    private final long[] bufferOffset;
    private final int[] firstBlock;
    private final int[] lastBlock;

    PlannedTensors(PlanSettings settings, int file, Selected selected) {
        this.settings = settings;
        this.file = file;
        this.converts = settings.dtype().isPresent();
        this.header = selected.header();
        this.numbers = selected.numbers();
        this.parts = selected.parts();
        this.bufferOffset = new long[selected.size()];
        this.firstBlock = new int[selected.size()];
        this.lastBlock = new int[selected.size()];
    }

    /// Sets where a tensor goes, once, by the planner.
    ///
    /// @param offset its first byte in the buffer
    /// @param first the first block that carries bytes of it
    /// @param last the last one; before the first for an empty tensor
    void place(int index, long offset, int first, int last) {
        bufferOffset[index] = offset;
        firstBlock[index] = first;
        lastBlock[index] = last;
    }

    @Override
    public int size() {
        return bufferOffset.length;
    }

    @Override
    public PlannedTensor get(int index) {
        TensorInfo info = info(index);
        Part part = parts == null ? Part.whole(info) : parts[index];
        return new PlannedTensor(info, part, file, dtype(index), bufferOffset[index], byteSize(index),
                firstBlock[index], lastBlock[index]);
    }

    /// The position of the tensor that the header has as number `number`; negative if it is not planned.
    public int find(int number) {
        return numbers == null ? number : Arrays.binarySearch(numbers, number);
    }

    /// The first tensor that ends after a byte of the file; their number if none does.
    ///
    /// By bisection over the ends of whole tensors, which ascend with the offsets.
    public int firstEndingAfter(long offset) {
        int low = 0;
        int high = size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (info(middle).fileEnd() <= offset) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// What the header says.
    public TensorInfo info(int index) {
        return header.get(numbers == null ? index : numbers[index]);
    }

    /// See [PlannedTensor#dtype()].
    public DType dtype(int index) {
        TensorInfo info = info(index);
        return converts ? settings.target(info) : info.dtype();
    }

    /// The index in the plan of the file that all are of.
    public int file() {
        return file;
    }

    /// See [PlannedTensor#byteSize()]. Elements fill whole bytes in either dtype: the planner has refused others.
    public long byteSize(int index) {
        TensorInfo info = info(index);
        DType target = dtype(index);
        return target != info.dtype() ? target.byteSize(shape(index).elements())
                : parts == null ? info.byteSize() : parts[index].byteSize();
    }

    /// See [PlannedTensor#bufferOffset()].
    public long bufferOffset(int index) {
        return bufferOffset[index];
    }

    /// See [PlannedTensor#shape()].
    public Shape shape(int index) {
        return parts == null ? info(index).shape() : parts[index].shape();
    }

    /// The dimension that only a part of was loaded along; −1 if the whole tensor was.
    public int dim(int index) {
        return parts == null ? -1 : parts[index].dim();
    }

    /// See [PlannedTensor#firstBlock()].
    public int firstBlock(int index) {
        return firstBlock[index];
    }

    /// See [PlannedTensor#lastBlock()].
    public int lastBlock(int index) {
        return lastBlock[index];
    }

    /// See [PlannedTensor#fileStart()].
    public long fileStart(int index) {
        return info(index).fileOffset() + (parts == null ? 0 : parts[index].firstByte());
    }

    /// See [PlannedTensor#fileEnd()].
    public long fileEnd(int index) {
        return parts == null ? info(index).fileEnd() : info(index).fileOffset() + parts[index].endByte();
    }

    /// See [PlannedTensor#isGathered()].
    public boolean isGathered(int index) {
        return parts != null && !parts[index].isContiguous();
    }

    /// See [PlannedTensor#isConverted()].
    public boolean isConverted(int index) {
        return dtype(index) != info(index).dtype();
    }

    /// See [PlannedTensor#targetOf(long)].
    public long targetOf(int index, long fileOffset) {
        TensorInfo info = info(index);
        long inTensor = fileOffset - info.fileOffset();
        long before = parts == null ? inTensor : parts[index].before(inTensor);
        DType target = dtype(index);
        return bufferOffset[index] + (target == info.dtype() ? before
                : Math.multiplyExact(before, 8L) / info.dtype().bits() * target.bits() / 8);
    }

    /// A tensor and its place.
    ///
    /// A tensor is complete when the blocks from `firstBlock` to `lastBlock` have arrived, however many other tensors
    /// these carry.
    ///
    /// @param info what the header says
    /// @param part what of it is loaded
    /// @param file the index of its file in the plan
    /// @param dtype the dtype it is loaded as
    /// @param bufferOffset its first byte in its file's buffer
    /// @param byteSize its bytes there
    /// @param firstBlock the first block of the plan that carries bytes of it
    /// @param lastBlock the last one; before the first for an empty tensor
    public record PlannedTensor(TensorInfo info, Part part, int file, DType dtype, long bufferOffset, long byteSize,
            int firstBlock,
            int lastBlock) {
        /// Whether it changes its dtype on the way.
        public boolean isConverted() {
            return dtype != info.dtype();
        }

        /// Whether it is gathered on the way: its bytes are not one run of the file.
        public boolean isGathered() {
            return !part.isContiguous();
        }

        /// The dimensions of what is loaded.
        public Shape shape() {
            return part.shape();
        }

        /// The file offset of the first byte that is loaded.
        public long fileStart() {
            return info.fileOffset() + part.firstByte();
        }

        /// The file offset just past the last byte that is loaded.
        public long fileEnd() {
            return info.fileOffset() + part.endByte();
        }

        /// The place in the buffer of a byte of the file: of the first one loaded that is not before it.
        ///
        /// For what is converted, elements before it take the bytes of the new dtype; the offset is at a multiple of what
        /// conversions are cut at.
        public long targetOf(long fileOffset) {
            long before = part.before(fileOffset - info.fileOffset());
            return bufferOffset
                    + (isConverted() ? Math.multiplyExact(before, 8L) / info.dtype().bits() * dtype.bits() / 8
                            : before);
        }
    }
}

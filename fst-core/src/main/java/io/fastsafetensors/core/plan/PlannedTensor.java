package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;

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
        return bufferOffset + (isConverted() ? Math.multiplyExact(before, 8L) / info.dtype().bits() * dtype.bits() / 8
                : before);
    }
}

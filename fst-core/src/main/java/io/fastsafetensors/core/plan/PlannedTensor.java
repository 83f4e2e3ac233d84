package io.fastsafetensors.core.plan;

import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.TensorInfo;

/// A tensor and its place.
///
/// @param info what the header says
/// @param file the index of its file in the plan
/// @param dtype the dtype it is loaded as
/// @param bufferOffset its first byte in its file's buffer
/// @param byteSize its bytes there
/// @param firstBlock the first block of the plan that carries bytes of it
/// @param lastBlock the last one; before the first for an empty tensor
public record PlannedTensor(TensorInfo info, int file, DType dtype, long bufferOffset, long byteSize, int firstBlock,
        int lastBlock) {
    /// Whether it changes its dtype on the way.
    public boolean isConverted() {
        return dtype != info.dtype();
    }
}

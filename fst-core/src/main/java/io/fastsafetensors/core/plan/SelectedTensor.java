package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.types.TensorInfo;

/// A tensor of which a part is loaded.
///
/// @param info what the header says
/// @param part what of it
record SelectedTensor(TensorInfo info, Part part) {
    boolean isEmpty() {
        return part.byteSize() == 0;
    }

    /// The file offset of the part's first byte.
    long start() {
        return info.fileOffset() + part.firstByte();
    }

    /// The file offset just past its last byte.
    long end() {
        return info.fileOffset() + part.endByte();
    }
}

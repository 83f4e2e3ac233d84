package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The validated header of one file. Immutable.
///
/// Nothing in it refers to the open file or to the header's text: a checkpoint of a hundred thousand tensors keeps
/// their infos and no more.
///
/// @param location the file
/// @param fileLength its length in bytes
/// @param dataStart the offset of the data section: 8 + the header's length
/// @param tensors the tensors by offset; in the file they fill the data section without a hole, but those that an index does
///     not count may be left out here
/// @param metadata `__metadata__` in the file's order, empty if there is none
/// @param opaque what the header says of tensors whose dtype is not known, by name
public record FileHeader(Location location, long fileLength, long dataStart, List<TensorInfo> tensors,
        Map<String, String> metadata, Map<String, OpaqueType> opaque) {
    /// Copies list and maps.
    public FileHeader {
        tensors = List.copyOf(tensors);
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        opaque = Map.copyOf(opaque);
    }

    /// Without tensors of unknown dtypes.
    public FileHeader(Location location, long fileLength, long dataStart, List<TensorInfo> tensors,
            Map<String, String> metadata) {
        this(location, fileLength, dataStart, tensors, metadata, Map.of());
    }

    /// The same with other tensors.
    public FileHeader withTensors(List<TensorInfo> others) {
        return new FileHeader(location, fileLength, dataStart, others, metadata, opaque);
    }
}

package io.fastsafetensors.core.header;

import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The validated header of one file. Immutable.
///
/// @param location the file
/// @param fileLength its length in bytes
/// @param dataStart the offset of the data section: 8 + the header's length
/// @param tensors the tensors by offset; in the file they fill the data section without a hole, but those that an index does
///     not count may be left out here
/// @param metadata `__metadata__` in the file's order, empty if there is none
public record FileHeader(Location location, long fileLength, long dataStart, List<TensorInfo> tensors,
        Map<String, String> metadata) {
    /// Copies list and map.
    public FileHeader {
        tensors = List.copyOf(tensors);
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    }
}

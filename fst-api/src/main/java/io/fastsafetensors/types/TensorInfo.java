package io.fastsafetensors.types;

import io.fastsafetensors.error.Printable;
import java.util.Objects;

/// A tensor's entry in a header.
///
/// @param name the name, unescaped; untrusted text
/// @param dtype the element type
/// @param shape the dimensions
/// @param file the file that holds it
/// @param fileOffset the absolute offset of its first byte in the file
/// @param byteSize its length in bytes: elements × bits / 8
public record TensorInfo(String name, DType dtype, Shape shape, Location file, long fileOffset, long byteSize) {
    /// Refuses what is missing.
    public TensorInfo {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(shape, "shape");
        Objects.requireNonNull(file, "file");
    }

    /// The absolute offset just past its last byte.
    public long fileEnd() {
        return fileOffset + byteSize;
    }

    /// One line for people; control characters of the name are escaped.
    @Override
    public String toString() {
        return Printable.escape(name) + " " + dtype + " " + shape + ", " + byteSize + " bytes at " + fileOffset + " of "
                + Printable.escape(file.toString());
    }
}

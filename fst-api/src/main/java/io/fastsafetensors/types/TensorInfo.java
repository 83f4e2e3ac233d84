package io.fastsafetensors.types;

/// What a header says of one tensor.
///
/// @param name the name, unescaped; untrusted text
/// @param dtype the element type
/// @param shape the dimensions
/// @param file the file that holds it
/// @param fileOffset the absolute offset of its first byte in the file
/// @param byteSize its length in bytes: elements × bits / 8
public record TensorInfo(String name, DType dtype, Shape shape, Location file, long fileOffset, long byteSize) {
    /// The absolute offset just past its last byte.
    public long fileEnd() {
        return fileOffset + byteSize;
    }
}

package io.fastsafetensors.cli;

import io.fastsafetensors.types.TensorInfo;

/// Two tensors of one name.
///
/// @param a the one
/// @param b the other
record TensorPair(TensorInfo a, TensorInfo b) {
    String name() {
        return a.name();
    }

    /// Bytes of both in their files.
    long byteSize() {
        return a.byteSize() + b.byteSize();
    }

    /// How the headers differ, empty if they do not.
    String headers() {
        StringBuilder text = new StringBuilder();
        if (a.dtype() != b.dtype()) {
            text.append("dtype ").append(a.dtype()).append(" / ").append(b.dtype());
        }
        if (!a.shape().equals(b.shape())) {
            text.append(text.isEmpty() ? "" : ", ").append("shape ").append(a.shape()).append(" / ").append(b.shape());
        }
        return text.toString();
    }

    /// Whether element can be compared with element: of one shape, and of one dtype or both numbers of some precision.
    boolean hasComparableValues() {
        return a.shape().equals(b.shape())
                && (a.dtype() == b.dtype() || (a.dtype().isFloat() && b.dtype().isFloat()));
    }
}

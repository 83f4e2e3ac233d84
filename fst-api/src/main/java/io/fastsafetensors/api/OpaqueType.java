package io.fastsafetensors.api;

import io.fastsafetensors.types.Shape;
import java.util.Objects;

/// Says what a header calls a tensor whose dtype fst does not know: in lenient mode its bytes are a U8 tensor of one
/// dimension, and this is for readers that know what they mean.
///
/// @param dtype the dtype as the header spells it; untrusted text
/// @param shape the shape as the header has it
public record OpaqueType(String dtype, Shape shape) {
    /// Refuses what is missing.
    public OpaqueType {
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(shape, "shape");
    }
}

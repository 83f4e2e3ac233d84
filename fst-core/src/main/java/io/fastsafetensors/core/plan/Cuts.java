package io.fastsafetensors.core.plan;

import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.types.TensorInfo;

/// Selects the part of each tensor that is loaded. Pure: the same answer every time.
///
/// An interface of this package, because who cuts (the layout of ranks) comes after it.
///
/// Asked once for each selected tensor, before anything is laid out, because what is cut decides the ranges that are
/// read.
@FunctionalInterface
public interface Cuts {
    /// Every tensor as a whole.
    Cuts NONE = Part::whole;

    /// The part of a tensor.
    ///
    /// @throws io.fastsafetensors.error.SliceException if it cannot be cut as it should be
    Part of(TensorInfo tensor);
}

/// The programs' interface: open a checkpoint, load it to a device, take tensors, close.
/// Start at [Loader] (loading) and [Safetensors] (headers, one-liners, writing).
/// The implementation is fst-core, found by [java.util.ServiceLoader] through [LoaderProvider].
@NullMarked
package io.fastsafetensors.api;

import org.jspecify.annotations.NullMarked;

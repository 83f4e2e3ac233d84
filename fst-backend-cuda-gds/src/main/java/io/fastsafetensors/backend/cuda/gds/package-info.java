/// NVIDIA GPUs by GPUDirect Storage.
/// So far its provider only: it tells what this machine has, and that this version cannot use it.
/// Nothing here loads native code before [io.fastsafetensors.spi.BackendProvider#probe()] is called.
@NullMarked
package io.fastsafetensors.backend.cuda.gds;

import org.jspecify.annotations.NullMarked;

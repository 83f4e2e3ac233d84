/// NVIDIA GPUs by GPUDirect Storage: the backend `cuda`, decorated with direct reads by cuFile.
/// `GdsStorage` decides for each file and opens it, `GdsFile` reads; buffers are decorated too, since what cuFile has
/// registered must be given back before it is freed.
@NullMarked
package io.fastsafetensors.backend.cuda.gds;

import org.jspecify.annotations.NullMarked;

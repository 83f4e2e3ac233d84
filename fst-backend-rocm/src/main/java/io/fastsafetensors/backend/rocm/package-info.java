/// AMD GPUs by HIP, and devices with an OpenCL driver.
/// Each lives in a package of its own; nothing is shared but the module.
/// Nothing here loads native code before [io.fastsafetensors.spi.BackendProvider#probe()] is called.
@NullMarked
package io.fastsafetensors.backend.rocm;

import org.jspecify.annotations.NullMarked;

/// NVIDIA GPUs by copies through page-locked host memory: device and staging memory, streams, events as fences, and the
/// provider that [java.util.ServiceLoader] finds. Native code is loaded by the first
/// [io.fastsafetensors.spi.BackendProvider#probe()], a context exists on a device from
/// [io.fastsafetensors.spi.BackendProvider#open] on.
/// The driver is called through `driver`; `jcuda` binds it.
@NullMarked
package io.fastsafetensors.backend.cuda;

import org.jspecify.annotations.NullMarked;

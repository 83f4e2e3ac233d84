/// Host memory as a device: buffers on huge pages, copies that are done when the call returns, and the provider that
/// [java.util.ServiceLoader] finds.
/// Memory comes from `ffm`, or from the JDK where that cannot work; elements are converted in `kernels`.
@NullMarked
package io.fastsafetensors.backend.cpu;

import org.jspecify.annotations.NullMarked;

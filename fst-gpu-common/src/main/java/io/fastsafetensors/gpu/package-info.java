/// Parts of GPU backends: memory of a driver, events, copies of Java arrays, and the
/// kernel's description of PCI devices.
@NullMarked
package io.fastsafetensors.gpu;

import org.jspecify.annotations.NullMarked;

/// The interfaces that a backend implements: memory, staging, copy streams, kernels and direct storage of one kind of
/// device. Found by [java.util.ServiceLoader] through [BackendProvider]; written against this module alone.
/// fst-testkit's `BackendConformance` states every rule and proves an implementation.
@NullMarked
package io.fastsafetensors.spi;

import org.jspecify.annotations.NullMarked;

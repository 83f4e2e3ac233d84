/// Benchmarks: JMH classes for what fits a harness, main programs for whole loads.
/// Every program prints what was warm or cold and compares arms of one run only.
/// Nothing here is shipped.
@NullMarked
package io.fastsafetensors.bench;

import org.jspecify.annotations.NullMarked;

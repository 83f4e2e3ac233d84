/// The C library's calls that baselines are written with.
/// Kept apart from fst's own bindings, so that a baseline does not share their mistakes.
/// For Linux on x86-64 and ARM.
@NullMarked
package io.fastsafetensors.bench.ffm;

import org.jspecify.annotations.NullMarked;

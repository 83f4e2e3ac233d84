/// The entry point of fst-core, found by [java.util.ServiceLoader].
/// Behind it, in the order in which data meets them: checkpoint, header, plan, read, place, deliver.
/// Supporting packages: select (backends), shard (arithmetic), memory (who holds what), write, jfr.
@NullMarked
package io.fastsafetensors.core;

import org.jspecify.annotations.NullMarked;

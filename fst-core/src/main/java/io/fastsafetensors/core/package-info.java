/// The door of fst-core: what [java.util.ServiceLoader] finds.
/// Behind it, in the order in which data meets them: checkpoint, header, plan, read, place, deliver.
/// Supporting packages: select (backends), shard (arithmetic), memory (who holds what), write, jfr.
@NullMarked
package io.fastsafetensors.core;

import org.jspecify.annotations.NullMarked;

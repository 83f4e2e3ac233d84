/// The entry point of fst-core, found by [java.util.ServiceLoader].
/// Behind it, in the order in which data meets them: storage, checkpoint, header, plan, read,
/// transfer, distribute; then what a user has: tensor, load, stream, rewrite, collective. [CoreLoader] joins them.
/// Supporting packages: select (backends), shard (arithmetic), memory (reference counts), write, jfr.
@NullMarked
package io.fastsafetensors.core;

import org.jspecify.annotations.NullMarked;

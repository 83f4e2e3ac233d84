/// A path becomes the files of a checkpoint: one file, an index, a directory, or a folder of the Hugging Face cache.
/// Names only: nothing is opened but the cache's `refs/main`, and an index is read by the next package.
/// First in the flow: depends on fst-api alone.
@NullMarked
package io.fastsafetensors.core.checkpoint;

import org.jspecify.annotations.NullMarked;

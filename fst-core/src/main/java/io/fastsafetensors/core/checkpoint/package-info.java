/// A location becomes the files of a checkpoint: one file, an index, a directory, or a folder of the Hugging Face cache.
/// Names only: nothing is opened but the cache's `refs/main`, and an index is read by the next package.
/// Before it: storage lists and opens. After it: header reads what was found.
@NullMarked
package io.fastsafetensors.core.checkpoint;

import org.jspecify.annotations.NullMarked;

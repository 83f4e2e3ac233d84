/// A checkpoint read as a stream and written as another one, in other dtypes, files or order.
/// Nothing of it stays in memory. Before it: stream reads, write lays out and writes.
@NullMarked
package io.fastsafetensors.core.rewrite;

import org.jspecify.annotations.NullMarked;

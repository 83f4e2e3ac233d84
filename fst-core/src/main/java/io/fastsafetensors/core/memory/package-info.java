/// Owns memory and what else is acquired: reference-counted buffers, views that invalidate what was handed out, resources
/// that are released together, the ways to wait, leaks found. Knows buffers and arenas, not tensors or files.
/// A buffer is freed once, by its last release, and never under a read.
@NullMarked
package io.fastsafetensors.core.memory;

import org.jspecify.annotations.NullMarked;

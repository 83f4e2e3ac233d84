/// Who holds which memory: reference-counted buffers, leases that invalidate what was handed out, leaks found.
/// Knows buffers and arenas, not tensors or files.
/// A buffer is freed once, by the last holder, and never under a read.
@NullMarked
package io.fastsafetensors.core.memory;

import org.jspecify.annotations.NullMarked;

/// Tensors that a user has: views of device memory, and what is derived from them (conversions, slices, copies, shards).
/// A tensor holds no memory of its own: it counts on a buffer, and is dead once its scope is closed.
/// Before it: memory counts, shard says where elements are. After it: load makes tensors of what arrived.
@NullMarked
package io.fastsafetensors.core.tensor;

import org.jspecify.annotations.NullMarked;

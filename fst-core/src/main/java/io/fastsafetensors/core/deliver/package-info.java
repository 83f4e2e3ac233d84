/// The user's objects: loaders, weights, lazy tensors, and what is derived from them.
/// A tensor is a view made when asked for; it waits for its own blocks only.
/// The last stage: only the entry point of core depends on it.
@NullMarked
package io.fastsafetensors.core.deliver;

import org.jspecify.annotations.NullMarked;

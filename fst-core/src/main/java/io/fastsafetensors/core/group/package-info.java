/// The ranks of one load inside this process, and what they must agree on before they do anything together.
/// A group of one, and groups of threads that move memory of whatever device; other transports come with the backends.
/// Knows memory and streams, not tensors or files.
@NullMarked
package io.fastsafetensors.core.group;

import org.jspecify.annotations.NullMarked;

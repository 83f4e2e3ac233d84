/// Tensors handed to other frameworks and taken over from them through DLPack, without a copy.
/// Knows the C structs, who owns them and what they can say; knows buffers, not tensors or loaders.
/// A struct is deleted once, by its last owner, and until then its memory stays.
@NullMarked
package io.fastsafetensors.core.dlpack;

import org.jspecify.annotations.NullMarked;

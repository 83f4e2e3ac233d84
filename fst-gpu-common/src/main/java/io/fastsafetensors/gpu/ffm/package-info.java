/// The C library's calls for anonymous memory: one interface with their names, one binding through the foreign-function
/// API.
@NullMarked
package io.fastsafetensors.gpu.ffm;

import org.jspecify.annotations.NullMarked;

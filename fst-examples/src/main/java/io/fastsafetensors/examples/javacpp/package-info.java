/// JavaCPP on memory that fst loaded: a pointer for native libraries that JavaCPP binds. Start at
/// [io.fastsafetensors.examples.javacpp.TensorPointer].
@NullMarked
package io.fastsafetensors.examples.javacpp;

import org.jspecify.annotations.NullMarked;

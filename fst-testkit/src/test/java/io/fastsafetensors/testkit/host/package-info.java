/// A correct backend in host memory, written for reading: arenas, and the scalar reference as kernels.
/// The kit's own subject; every capability can be switched off.
/// With its mutants, in the package beside it, it shows that each rule catches what it is for.
@NullMarked
package io.fastsafetensors.testkit.host;

import org.jspecify.annotations.NullMarked;

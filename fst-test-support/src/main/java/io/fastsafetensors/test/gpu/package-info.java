/// A GPU made of host memory and threads, in C behind the real drivers' function names, for tests of GPU backends on
/// machines without one. Compiled by the system's C compiler where it is used.
/// Asynchronous for real; counts what is alive; fails the call that a test names.
@NullMarked
package io.fastsafetensors.test.gpu;

import org.jspecify.annotations.NullMarked;

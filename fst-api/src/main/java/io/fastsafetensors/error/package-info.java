/// One sealed family of exceptions, each saying where it happened (file, tensor, offset, backend) and what to do.
/// Use of a closed object is not in the family: it is the JDK's [IllegalStateException].
/// Depends on nothing; every other package may throw what is here.
@NullMarked
package io.fastsafetensors.error;

import org.jspecify.annotations.NullMarked;

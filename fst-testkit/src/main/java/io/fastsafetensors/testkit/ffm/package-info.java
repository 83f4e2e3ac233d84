/// The suites' own calls of the C library: a file descriptor for direct storage to read from, and how much
/// memory is allocated.
@NullMarked
package io.fastsafetensors.testkit.ffm;

import org.jspecify.annotations.NullMarked;

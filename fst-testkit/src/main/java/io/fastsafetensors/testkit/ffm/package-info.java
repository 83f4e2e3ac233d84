/// What the suites ask of the C library themselves: a file descriptor for direct storage to read from.
@NullMarked
package io.fastsafetensors.testkit.ffm;

import org.jspecify.annotations.NullMarked;

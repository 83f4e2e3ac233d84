/// What the command asks of the operating system itself: how wide a terminal is.
/// Calls the C library through the API's foreign-function helper.
@NullMarked
package io.fastsafetensors.cli.ffm;

import org.jspecify.annotations.NullMarked;

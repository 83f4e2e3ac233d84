/// What the command asks of the operating system itself: to forget cached pages.
/// [PageCache] is the interface that commands use, the rest is how Linux does it.
/// Calls the C library through the API's foreign-function helper.
@NullMarked
package io.fastsafetensors.cli.ffm;

import org.jspecify.annotations.NullMarked;

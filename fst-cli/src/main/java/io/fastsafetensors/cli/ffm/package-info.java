/// The command's own calls of the operating system: the width of a terminal, and what `fst bench` asks of files.
/// Calls the C library through the API's foreign-function helper.
@NullMarked
package io.fastsafetensors.cli.ffm;

import org.jspecify.annotations.NullMarked;

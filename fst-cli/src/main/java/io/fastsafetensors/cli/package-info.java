/// The `fst` command: [Main] picks a command, the command asks fst-api, [Table] prints what came of it.
/// Everything goes through `io.fastsafetensors.api`, so it runs with any implementation and any backend on the path.
/// The one module that writes to standard output and standard error.
@NullMarked
package io.fastsafetensors.cli;

import org.jspecify.annotations.NullMarked;

/// Flight Recorder events of loads, files, blocks, waits and leaks.
/// On by default and cheap: one event a file or a wait that blocked; those of blocks are off unless asked for.
/// Times are the recorder's; sizes are bytes.
@NullMarked
package io.fastsafetensors.core.jfr;

import org.jspecify.annotations.NullMarked;

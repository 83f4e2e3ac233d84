package io.fastsafetensors.core.jfr;

import jdk.jfr.DataAmount;
import jdk.jfr.Label;
import jdk.jfr.Name;

/// One file of a load, from its first block to its last.
@Name("fst.File")
@Label("File Read")
final class FileEvent extends SpanEvent {
    @Label("File")
    String file;

    @Label("Bytes")
    @DataAmount
    long bytes;

    /// Starts the clock.
    FileEvent(String file, long bytes) {
        this.file = file;
        this.bytes = bytes;
        begin();
    }
}

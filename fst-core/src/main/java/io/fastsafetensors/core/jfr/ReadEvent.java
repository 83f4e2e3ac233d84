package io.fastsafetensors.core.jfr;

import jdk.jfr.DataAmount;
import jdk.jfr.Enabled;
import jdk.jfr.Label;
import jdk.jfr.Name;

/// One block read into memory. Off unless a recording switches it on: there are thousands a second.
@Name("fst.Read")
@Label("Block Read")
@Enabled(false)
final class ReadEvent extends SpanEvent {
    @Label("File")
    String file;

    @Label("Offset")
    long offset;

    @Label("Bytes")
    @DataAmount
    long bytes;

    /// Starts the clock.
    ReadEvent(String file, long offset, long bytes) {
        this.file = file;
        this.offset = offset;
        this.bytes = bytes;
        begin();
    }
}

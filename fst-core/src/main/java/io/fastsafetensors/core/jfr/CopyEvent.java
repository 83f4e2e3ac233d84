package io.fastsafetensors.core.jfr;

import jdk.jfr.DataAmount;
import jdk.jfr.Enabled;
import jdk.jfr.Label;
import jdk.jfr.Name;

/// One block on its way to the device, from the submission of its first copy until it was seen to be there. Off unless a
/// recording switches it on: there are thousands a second.
@Name("fst.Copy")
@Label("Block Copy")
@Enabled(false)
final class CopyEvent extends SpanEvent {
    @Label("File")
    String file;

    @Label("Offset")
    long offset;

    @Label("Bytes")
    @DataAmount
    long bytes;

    /// Starts the clock.
    CopyEvent(String file, long offset, long bytes) {
        this.file = file;
        this.offset = offset;
        this.bytes = bytes;
        begin();
    }
}

package io.fastsafetensors.core.jfr;

import jdk.jfr.DataAmount;
import jdk.jfr.Label;
import jdk.jfr.Name;

/// One load, from the call to its last byte.
@Name("fst.Load")
@Label("Load")
final class LoadEvent extends SpanEvent {
    @Label("Checkpoint")
    String checkpoint;

    @Label("Backend")
    String backend;

    @Label("Files")
    int files;

    @Label("Tensors")
    int tensors;

    @Label("Bytes")
    @DataAmount
    long bytes;

    /// Starts the clock.
    LoadEvent(String checkpoint, String backend, int files, int tensors, long bytes) {
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.files = files;
        this.tensors = tensors;
        this.bytes = bytes;
        begin();
    }
}

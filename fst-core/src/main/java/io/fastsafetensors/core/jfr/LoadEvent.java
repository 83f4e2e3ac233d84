package io.fastsafetensors.core.jfr;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// One load, from the call to its last byte.
@Name("fst.Load")
@Label("Load")
@Category("fst")
@StackTrace(false)
final class LoadEvent extends Event implements Span {
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

    @Label("Outcome")
    String outcome = "";

    /// Starts the clock.
    LoadEvent(String checkpoint, String backend, int files, int tensors, long bytes) {
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.files = files;
        this.tensors = tensors;
        this.bytes = bytes;
        begin();
    }

    @Override
    public void finish(String how) {
        end();
        if (shouldCommit()) {
            outcome = how;
            commit();
        }
    }
}

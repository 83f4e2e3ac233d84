package io.fastsafetensors.core.jfr;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// One file of a load, from its first block to its last.
@Name("fst.File")
@Label("File Read")
@Category("fst")
@StackTrace(false)
final class FileEvent extends Event implements Span {
    @Label("File")
    String file;

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Storage")
    String storage = "";

    /// Starts the clock.
    FileEvent(String file, long bytes) {
        this.file = file;
        this.bytes = bytes;
        begin();
    }

    @Override
    public void finish(String how) {
        end();
        if (shouldCommit()) {
            storage = how;
            commit();
        }
    }
}

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
public final class FileEvent extends Event {
    @Label("File")
    String file;

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Storage")
    String storage = "";

    /// Starts the clock.
    public FileEvent(String file, long bytes) {
        this.file = file;
        this.bytes = bytes;
        begin();
    }

    /// Stops the clock and records.
    ///
    /// @param how how the file was read, and why
    public void finish(String how) {
        end();
        if (shouldCommit()) {
            storage = how;
            commit();
        }
    }
}

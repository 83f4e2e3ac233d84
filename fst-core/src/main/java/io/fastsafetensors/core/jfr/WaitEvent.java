package io.fastsafetensors.core.jfr;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/// A caller waited for a tensor's bytes.
@Name("fst.Wait")
@Label("Tensor Wait")
@Category("fst")
public final class WaitEvent extends Event {
    @Label("Tensor")
    String tensor;

    /// Starts the clock.
    public WaitEvent(String tensor) {
        this.tensor = tensor;
        begin();
    }

    /// Stops the clock and records.
    public void finish() {
        end();
        if (shouldCommit()) {
            commit();
        }
    }
}

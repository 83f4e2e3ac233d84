package io.fastsafetensors.core.jfr;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;

/// A caller waited for a tensor's bytes.
@Name("fst.Wait")
@Label("Tensor Wait")
@Category("fst")
final class WaitEvent extends Event implements Span {
    @Label("Tensor")
    String tensor;

    @Label("Outcome")
    String outcome = "";

    /// Starts the clock.
    WaitEvent(String tensor) {
        this.tensor = tensor;
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

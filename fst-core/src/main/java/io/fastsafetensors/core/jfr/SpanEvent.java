package io.fastsafetensors.core.jfr;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.StackTrace;

/// An event with a length and an outcome. Subclasses start the clock when they are made.
@Category("fst")
@StackTrace(false)
abstract class SpanEvent extends Event implements Span {
    @Label("Outcome")
    String outcome = "";

    /// Not yet begun.
    SpanEvent() {
    }

    @Override
    public final void finish(String how) {
        end();
        if (shouldCommit()) {
            outcome = how;
            commit();
        }
    }
}

package io.fastsafetensors.core.jfr;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// Something was collected unclosed.
@Name("fst.Leak")
@Label("Unclosed Tensors")
@Category("fst")
@StackTrace(false)
final class LeakEvent extends Event {
    @Label("What")
    String what = "";

    /// None yet.
    LeakEvent() {
    }

    /// Says that `what` leaked.
    static void emit(String what) {
        LeakEvent event = new LeakEvent();
        if (event.shouldCommit()) {
            event.what = what;
            event.commit();
        }
    }
}

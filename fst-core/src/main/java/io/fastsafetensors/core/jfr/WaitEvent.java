package io.fastsafetensors.core.jfr;

import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// A caller waited for a tensor's bytes.
@Name("fst.Wait")
@Label("Tensor Wait")
@StackTrace
final class WaitEvent extends SpanEvent {
    @Label("Tensor")
    String tensor;

    /// Starts the clock.
    WaitEvent(String tensor) {
        this.tensor = tensor;
        begin();
    }
}

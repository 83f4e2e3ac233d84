package io.fastsafetensors.core.jfr;

/// Something that takes time and may be recorded: made when it begins, finished once, by any thread. A span that is never
/// finished is not recorded.
public interface Span {
    /// What is not recorded: one object for all, so that a load without Flight Recorder allocates nothing for spans.
    Span UNRECORDED = outcome -> {
    };

    /// Stops the clock.
    ///
    /// @param outcome how it ended, in a few words
    void finish(String outcome);
}

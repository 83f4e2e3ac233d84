package io.fastsafetensors.core.jfr;

/// Something that takes time and may be recorded.
public interface Span {
    /// What is not recorded.
    Span UNRECORDED = outcome -> {
    };

    /// Stops the clock.
    ///
    /// @param outcome how it ended, in a few words
    void finish(String outcome);
}

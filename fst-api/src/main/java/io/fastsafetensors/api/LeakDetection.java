package io.fastsafetensors.api;

/// The reaction to a [Weights] or a detached [Tensor] that is collected unclosed. Its memory is freed in every case.
public enum LeakDetection {
    /// Nothing is said.
    OFF,
    /// A warning names it.
    ON,
    /// The warning also shows where it was opened; costs a stack trace each time.
    STACK
}

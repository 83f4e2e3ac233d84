package io.fastsafetensors.spi;

/// The kind of a device; `auto` and `gpu` choose by it, because a driver's device type does not tell (OpenCL has
/// processors too).
public enum DeviceKind {
    /// The host's own processor and memory.
    CPU,
    /// A graphics processor.
    GPU,
    /// Anything else that computes.
    ACCELERATOR
}

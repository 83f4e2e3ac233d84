package io.fastsafetensors.spi;

/// What sort of thing a device is; `auto` and `gpu` choose by it, since a driver's device type does not tell (OpenCL has
/// processors too).
public enum DeviceKind {
    /// The host's own processor and memory.
    CPU,
    /// A graphics processor.
    GPU,
    /// Anything else that computes.
    ACCELERATOR
}

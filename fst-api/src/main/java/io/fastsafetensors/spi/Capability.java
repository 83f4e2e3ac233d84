package io.fastsafetensors.spi;

/// What a backend can do. Core uses what is claimed; the conformance suite runs the rules of those that are claimed and
/// reports the rest as not applicable. Constants are added in later versions, so a `switch` over them needs a default.
public enum Capability {
    /// [DeviceBuffer#segment()] is present: the host can read and write device memory.
    HOST_ADDRESSABLE,
    /// [Backend#kernels()] converts and gathers.
    KERNELS,
    /// Copies run beside the caller: a [Fence] may be pending when a copy call returns.
    ASYNCHRONOUS_COPIES,
    /// [Backend#directStorage()] is present.
    DIRECT_STORAGE,
    /// [Backend#registerHost] page-locks memory that it did not allocate.
    HOST_REGISTRATION,
    /// [DeviceBuffer#handle()] is a pointer, so that addresses can be handed to native code.
    POINTERS
}

package io.fastsafetensors.testkit.fault;

/// What a [FaultPlan] can count, fail and delay.
public enum Operation {
    /// Opening a backend.
    OPEN,
    /// Allocating device memory.
    ALLOCATE,
    /// Allocating staging memory.
    ALLOCATE_STAGING,
    /// Opening a copy stream.
    OPEN_STREAM,
    /// A copy host → device. Fails when it is carried out: seen at the call, or at a later fence when deferred.
    COPY_TO_DEVICE,
    /// A copy device → host; fails as [#COPY_TO_DEVICE] does.
    COPY_TO_HOST,
    /// A copy within the device; fails as [#COPY_TO_DEVICE] does.
    COPY,
    /// A conversion or gather; fails as [#COPY_TO_DEVICE] does.
    KERNEL,
    /// Making a fence.
    FENCE,
    /// Waiting for a fence or a stream.
    AWAIT,
    /// Opening a file for direct reads.
    DIRECT_OPEN,
    /// A direct read.
    DIRECT_READ,
    /// Page-locking the caller's memory.
    REGISTER_HOST
}

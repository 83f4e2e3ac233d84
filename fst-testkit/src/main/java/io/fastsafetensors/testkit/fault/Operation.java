package io.fastsafetensors.testkit.fault;

/// An operation that a [FaultPlan] can count, fail and delay.
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
    REGISTER_HOST,
    /// Closing a backend. A close that fails on purpose has released what it closes.
    CLOSE_BACKEND,
    /// Closing a device buffer; fails as [#CLOSE_BACKEND] does.
    CLOSE_BUFFER,
    /// Closing a staging buffer; fails as [#CLOSE_BACKEND] does.
    CLOSE_STAGING,
    /// Closing a copy stream; fails as [#CLOSE_BACKEND] does.
    CLOSE_STREAM,
    /// Closing a fence; fails as [#CLOSE_BACKEND] does.
    CLOSE_FENCE,
    /// Closing a file opened for direct reads; fails as [#CLOSE_BACKEND] does.
    CLOSE_DIRECT_FILE,
    /// Ending the registration of the caller's memory; fails as [#CLOSE_BACKEND] does.
    CLOSE_REGISTRATION,
    /// Asking a fence whether it has passed.
    IS_PASSED,
    /// Asking for the free memory.
    MEMORY,
    /// Asking whether a file can be read directly.
    DIRECT_SUPPORT
}

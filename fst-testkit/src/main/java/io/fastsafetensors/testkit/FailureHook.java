package io.fastsafetensors.testkit;

import java.util.Optional;

/// Provokes failures that a healthy device does not have: by a test build of the driver, a debugger's call, or a library
/// that stands between backend and driver. Without one the rules about failed work are skipped.
public interface FailureHook {
    /// An operation that is to fail.
    enum Failure {
        /// Copies between host and device.
        COPY,
        /// Kernels.
        KERNEL,
        /// Direct reads.
        DIRECT_READ
    }

    /// From now on work of this kind fails when the device does it, until what is returned is closed. What was submitted
    /// before is not concerned.
    ///
    /// @return ends it; empty if this kind of failure cannot be provoked
    Optional<AutoCloseable> provoke(Failure failure);
}

package io.fastsafetensors.api;

/// Told now and then how a load is doing. Called from reader threads, one at a time; must be quick and not throw (a
/// listener that throws fails the load).
@FunctionalInterface
public interface ProgressListener {
    /// Bytes have come into place.
    ///
    /// @param bytesDone bytes in place
    /// @param bytesTotal bytes of the whole load
    void progress(long bytesDone, long bytesTotal);

    /// Says nothing.
    ProgressListener NONE = (done, total) -> {
    };
}

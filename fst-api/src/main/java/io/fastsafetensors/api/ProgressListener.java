package io.fastsafetensors.api;

import java.util.Map;

/// Told now and then how a load is doing. Called from reader threads, one at a time; must be quick and not throw (a
/// listener that throws fails the load).
///
/// It may close the weights or the stream, which then ends as soon as the readers have stopped, and ask for tensors
/// that are there. It must not wait, neither for reads nor for other threads that wait for the load.
@FunctionalInterface
public interface ProgressListener {
    /// Bytes have come into place.
    ///
    /// @param bytesDone bytes in place
    /// @param bytesTotal bytes of the whole load
    void progress(long bytesDone, long bytesTotal);

    /// Numbers had no place in the dtype that [Loader#rewrite] wrote, and are infinite there, or its largest number. Called
    /// once at the end, by the thread of the call; not if there are none.
    ///
    /// @param counts how many of each tensor
    default void overflowed(Map<String, Long> counts) {
    }

    /// Says nothing.
    ProgressListener NONE = (done, total) -> {
    };
}

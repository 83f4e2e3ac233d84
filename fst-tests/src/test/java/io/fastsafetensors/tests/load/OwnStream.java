package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.Fence;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;

/// A stream that a program has opened on the remote device, beside fst, and the work that it has submitted there.
final class OwnStream {
    private static final Map<Long, OwnStream> STREAMS = new ConcurrentHashMap<>();

    /// Completed by the test when the work has passed.
    final CompletableFuture<Void> work = new CompletableFuture<>();
    /// Completed when somebody waits for the work.
    final CompletableFuture<Void> awaited = new CompletableFuture<>();

    static OwnStream open(long handle) {
        OwnStream stream = new OwnStream();
        STREAMS.put(handle, stream);
        return stream;
    }

    /// What a backend makes of a handle.
    static Fence fenceBehind(long handle) {
        OwnStream stream = STREAMS.get(handle);
        return new Fence() {
            @Override
            public boolean isPassed() {
                return stream.work.isDone();
            }

            @Override
            public void await() {
                stream.awaited.complete(null);
                try {
                    stream.work.join();
                } catch (CompletionException e) {
                    throw (RuntimeException) e.getCause();
                }
            }

            @Override
            public void close() {
                // Holds nothing.
            }
        };
    }
}

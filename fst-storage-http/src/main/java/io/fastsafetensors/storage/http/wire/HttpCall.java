package io.fastsafetensors.storage.http.wire;

import java.io.IOException;

import org.jspecify.annotations.Nullable;

/// One request and what becomes of its answer. Used by one thread; asked again for each try, so it knows what it has
/// received already.
abstract class HttpCall {
    private static final byte[] NOTHING = {};

    String method() {
        return "GET";
    }

    /// Adds the headers of the next try.
    void describe(Headers headers) {
    }

    byte[] body() {
        return NOTHING;
    }

    /// Whether [#receive(Connection, Head)] is to get an answer of this status.
    abstract boolean accepts(int status);

    /// Judges an answer and reads what is wanted of its body.
    ///
    /// @throws IOException if the connection failed, or sent what may be right the next time
    abstract void receive(Connection connection, Head head) throws IOException;

    /// Counts it; null if nobody wants to know.
    @Nullable
    Traffic traffic() {
        return null;
    }

    /// How many bytes have come for good, in all tries.
    long received() {
        return 0;
    }

    /// The offset in the file of the first byte that is missing; −1 if the request is about no bytes.
    long offset() {
        return -1;
    }
}

package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.storage.http.wire.HttpClient.Document;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A request whose answer is read whole, on the heap: for what is small. One thread, one use; begun again where an answer
/// was cut off, since nothing of it counts before its end.
final class DocumentCall extends HttpCall {
    private final String method;
    private final byte[] form;
    private final int most;
    private @Nullable Document document;

    /// @param method GET, or POST of a form
    /// @param form encoded as application/x-www-form-urlencoded; empty for none
    /// @param most the most bytes that the answer may have
    DocumentCall(String method, String form, int most) {
        this.method = method;
        this.form = form.getBytes(StandardCharsets.UTF_8);
        this.most = most;
    }

    /// The answer; empty where there is nothing at the address (404).
    Optional<Document> result() {
        return Optional.ofNullable(document);
    }

    @Override
    String method() {
        return method;
    }

    @Override
    byte[] body() {
        return form;
    }

    @Override
    void describe(Headers headers) {
        if (form.length > 0) {
            headers.set("content-type", "application/x-www-form-urlencoded");
        }
    }

    @Override
    boolean accepts(int status) {
        return status == 200 || status == 404;
    }

    @Override
    void receive(Connection connection, Head head) throws IOException {
        if (head.status() == 404) {
            return;
        }
        if (head.contentCoding().isPresent()) {
            throw new IOException("the answer is compressed though identity was asked for");
        }
        byte[] bytes = new byte[8192];
        int size = 0;
        while (true) {
            if (size == bytes.length) {
                if (size >= most) {
                    throw new IOException("the answer is longer than " + most + " bytes");
                }
                bytes = Arrays.copyOf(bytes, (int) Math.min(most, bytes.length * 2L));
            }
            long count = connection.read(MemorySegment.ofArray(bytes), size, bytes.length - size);
            if (count < 0) {
                break;
            }
            size += (int) count;
        }
        document = new Document(head, Arrays.copyOf(bytes, size));
    }
}

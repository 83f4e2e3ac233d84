package io.fastsafetensors.core.digest;

import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

/// A SHA-256 of texts and numbers, for comparing what two processes know. Each text goes with its length, so that two
/// lists never have the same bytes. Gathered in a buffer, because the digest of many short pieces takes ten times as long as
/// that of their bytes together: a checkpoint may have 100,000 tensors. For one thread.
public final class Fingerprint {
    private static final int BUFFER_BYTES = 8192;

    private final MessageDigest sha = Sha256.create();
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private int used;

    /// Adds a text.
    public Fingerprint add(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        add(bytes.length);
        if (bytes.length > BUFFER_BYTES - used) {
            flush();
        }
        if (bytes.length > BUFFER_BYTES) {
            sha.update(bytes);
        } else {
            System.arraycopy(bytes, 0, buffer, used, bytes.length);
            used += bytes.length;
        }
        return this;
    }

    /// Adds a number.
    public Fingerprint add(long number) {
        if (used + Long.BYTES > BUFFER_BYTES) {
            flush();
        }
        for (int shift = Long.SIZE - Byte.SIZE; shift >= 0; shift -= Byte.SIZE) {
            buffer[used++] = (byte) (number >>> shift);
        }
        return this;
    }

    /// Adds what a header says of a tensor, but for its file.
    public Fingerprint add(TensorInfo tensor) {
        Shape shape = tensor.shape();
        add(tensor.name()).add(tensor.dtype().name()).add(tensor.fileOffset()).add(shape.rank());
        for (int d = 0; d < shape.rank(); d++) {
            add(shape.dim(d));
        }
        return this;
    }

    private void flush() {
        sha.update(buffer, 0, used);
        used = 0;
    }

    /// The digest of all that was added, in lower-case hexadecimal. Nothing is added afterwards.
    public String hex() {
        flush();
        return Sha256.hex(sha);
    }
}

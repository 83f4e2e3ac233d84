package io.fastsafetensors.cli;

import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/// Standard output that remembers why it failed, which a PrintStream swallows.
final class Stdout extends OutputStream {
    private final OutputStream target;
    private @Nullable String failure;

    Stdout(OutputStream target) {
        this.target = target;
    }

    @Nullable
    String failure() {
        return failure;
    }

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        try {
            target.write(bytes, offset, length);
        } catch (IOException e) {
            failure = String.valueOf(e.getMessage());
            throw e;
        }
    }
}

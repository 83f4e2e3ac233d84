package io.fastsafetensors.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
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

    /// Whether standard output is a pipe or a socket, where a failed write means that the reader has gone.
    boolean isPipe() {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
            return target.startsWith("pipe:") || target.startsWith("socket:");
        } catch (IOException e) {
            return String.valueOf(failure).contains("Broken pipe");
        }
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

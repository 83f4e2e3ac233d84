package io.fastsafetensors.testkit;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;

/// Sees what Java code prints. What native code prints is not seen.
final class StandardStreams {
    record Captured<T>(T result, String text) {
    }

    private StandardStreams() {
    }

    /// Runs the action while System.out and System.err go into a text.
    static synchronized <T> Captured<T> capture(Supplier<T> action) {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (PrintStream both = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
            System.setOut(both);
            System.setErr(both);
            T result = action.get();
            both.flush();
            return new Captured<>(result, bytes.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
    }
}

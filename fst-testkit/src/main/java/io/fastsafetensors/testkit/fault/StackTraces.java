package io.fastsafetensors.testkit.fault;

import java.util.Arrays;
import java.util.stream.Collectors;

/// Short stack traces for messages.
final class StackTraces {
    private StackTraces() {
    }

    /// The innermost frames of classes whose names do not start with `skipped`.
    static String frames(Throwable where, String skipped, int most) {
        return Arrays.stream(where.getStackTrace()).filter(f -> !f.getClassName().startsWith(skipped)).limit(most)
                .map(StackTraceElement::toString).collect(Collectors.joining(" < "));
    }
}

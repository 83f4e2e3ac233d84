package io.fastsafetensors.core.write;

import java.nio.file.OpenOption;
import java.util.Arrays;
import java.util.Optional;

/// The JDK's option to open a file past the page cache, `com.sun.nio.file.ExtendedOpenOption.DIRECT`: exported and
/// supported, yet looked up by name, since javac warns of every mention of its package and the warning cannot be
/// switched off in one place.
final class DirectOption {
    /// The option; empty on a JDK that has none.
    static final Optional<OpenOption> VALUE = find();

    private DirectOption() {
    }

    private static Optional<OpenOption> find() {
        try {
            Object[] constants = Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants();
            return Arrays.stream(constants).filter(constant -> constant.toString().equals("DIRECT"))
                    .map(OpenOption.class::cast).findFirst();
        } catch (ClassNotFoundException e) {
            return Optional.empty();
        }
    }
}

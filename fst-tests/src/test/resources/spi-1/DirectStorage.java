package io.fastsafetensors.spi;

import java.nio.file.Path;

public interface DirectStorage {
    Support support(Path file);

    DirectFile open(Path file);

    record Support(Mode mode, String reason) {
    }

    enum Mode {
        DIRECT,
        COMPATIBILITY,
        NONE
    }
}

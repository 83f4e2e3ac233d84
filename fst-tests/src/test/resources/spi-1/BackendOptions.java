package io.fastsafetensors.spi;

import java.util.Map;

public record BackendOptions(boolean strict, Map<String, String> properties) {
    public BackendOptions {
        properties = Map.copyOf(properties);
    }

    public static BackendOptions defaults() {
        return new BackendOptions(false, Map.of());
    }
}

package io.fastsafetensors.api;

import java.util.Optional;
import java.util.ServiceLoader;

/// Finds the implementation once.
final class Holder {
    static final Optional<LoaderProvider> INSTANCE = find();

    private Holder() {
    }

    private static Optional<LoaderProvider> find() {
        return ServiceLoader.load(LoaderProvider.class, LoaderProvider.class.getClassLoader()).findFirst()
                .or(() -> ServiceLoader.load(LoaderProvider.class).findFirst());
    }
}

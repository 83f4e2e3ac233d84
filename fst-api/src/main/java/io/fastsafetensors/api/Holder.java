package io.fastsafetensors.api;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Services;
import org.jspecify.annotations.Nullable;

/// Keeps the implementation once it is found. That it was not found is not kept: a later thread may see it.
final class Holder {
    private static volatile @Nullable LoaderProvider instance;

    private Holder() {
    }

    static LoaderProvider instance() {
        LoaderProvider found = instance;
        if (found == null) {
            found = Services.first(LoaderProvider.class, LoaderProvider.class)
                    .orElseThrow(() -> new UnsupportedFeatureException(
                            "no implementation of fst on the class path or module path: add fst-core; "
                                    + Services.MERGING,
                            Where.nowhere()));
            instance = found;
        }
        return found;
    }
}

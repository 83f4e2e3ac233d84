package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;

/// What the API can say and this version cannot do: said before anything is opened.
final class Unsupported {
    private Unsupported() {
    }

    static void check(LoadOptions options) {
        if (options.checkDigests()) {
            throw feature("checking digests while loading");
        }
    }

    static UnsupportedFeatureException feature(String what) {
        return new UnsupportedFeatureException(what + ": not in this version", Where.nowhere());
    }
}

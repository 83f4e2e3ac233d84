package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;

/// What the API can say and this version cannot do: said before anything is opened.
final class Unsupported {
    private Unsupported() {
    }

    static void check(LoadOptions options) {
        if (options.group().isPresent() && options.group().get().size() > 1
                && (options.checkDigests() || !options.digests().equals(Digests.none()))) {
            throw feature("checking digests in a load by several ranks");
        }
    }

    static UnsupportedFeatureException feature(String what) {
        return new UnsupportedFeatureException(what + ": not in this version", Where.nowhere());
    }
}

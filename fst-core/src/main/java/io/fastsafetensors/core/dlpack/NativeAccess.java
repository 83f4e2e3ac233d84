package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.ffm.NativeLibrary;

/// What to say where the virtual machine forbids native calls.
final class NativeAccess {
    private NativeAccess() {
    }

    static UnsupportedFeatureException denied(IllegalCallerException cause) {
        Module caller = NativeLibrary.class.getModule();
        return new UnsupportedFeatureException("DLPack needs native access; start java with --enable-native-access="
                + (caller.isNamed() ? caller.getName() : "ALL-UNNAMED"), Where.nowhere(), cause);
    }
}

package io.fastsafetensors.backend.rocm.hip.ffm;

import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;

/// Strings that a library owns.
final class CStrings {
    /// Longer texts are no error names.
    private static final int LONGEST = 1024;

    private CStrings() {
    }

    /// The zero-terminated string at an address that stays valid; an empty one for NULL.
    static String at(long address) {
        return address == 0 ? "" : RawMemory.view(address, LONGEST, Arena.ofAuto()).getString(0);
    }
}

package io.fastsafetensors.backend.rocm.hip.ffm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// `hipGetDeviceProperties`, which is two functions with two structures: ROCm 6 made a new `hipDeviceProp_t`, and sends
/// programs that are compiled against it to the symbol `hipGetDevicePropertiesR0600`; the old symbol keeps the old
/// structure. Offsets are those of `gcnArchName` in hip_runtime_api.h of ROCm 5.2, and of 6.0 to 7.
///
/// @param function the symbol that the library has
/// @param archAt where in the structure the architecture's name starts
record DeviceProperties(WordFunction function, int archAt) {
    private static final int ARCH_AT_R0000 = 396;
    private static final int ARCH_AT_R0600 = 1160;
    /// More than either structure (792 and 1,472 bytes).
    private static final int ROOM = 4096;

    /// The newest that the library has.
    static DeviceProperties of(NativeLibrary library) {
        try {
            return new DeviceProperties(library.words("hipGetDevicePropertiesR0600"), ARCH_AT_R0600);
        } catch (UnsupportedFeatureException _) {
            // Before ROCm 6.
            return new DeviceProperties(library.words("hipGetDeviceProperties"), ARCH_AT_R0000);
        }
    }

    int archName(String[] name, int device) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment structure = arena.allocate(ROOM, Long.BYTES);
            int status = (int) function.call(structure.address(), device);
            name[0] = structure.getString(archAt);
            return status;
        }
    }
}

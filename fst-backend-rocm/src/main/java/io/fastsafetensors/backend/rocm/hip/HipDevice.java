package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import java.util.function.LongConsumer;
import java.util.function.ToIntFunction;

/// One device, made current on a thread for the time of a call. Thread-safe.
///
/// @param runtime HIP
/// @param index its number in HIP's order
/// @param arch its instruction set with features, such as `gfx90a:sramecc+:xnack-`
record HipDevice(HipRuntime runtime, int index, String arch) {
    private static final Current ALREADY = () -> {
        // Nothing to put back.
    };

    /// Restores the thread's own device.
    interface Current extends AutoCloseable {
        @Override
        void close();
    }

    Hip hip() {
        return runtime.hip();
    }

    /// Makes the device current on this thread until the result is closed.
    Current makeCurrent() {
        int[] before = new int[1];
        runtime.check("hipGetDevice", hip().hipGetDevice(before));
        if (before[0] == index) {
            return ALREADY;
        }
        runtime.check("hipSetDevice", hip().hipSetDevice(index));
        return () -> runtime.check("hipSetDevice", hip().hipSetDevice(before[0]));
    }

    /// Makes an object on this device.
    ///
    /// @param call the function's name
    /// @param function writes the object to element 0 and returns the status
    /// @param undo releases the object again if the thread's own device cannot be put back
    long make(String call, ToIntFunction<long[]> function, LongConsumer undo) {
        return make(call, function, undo, runtime::check);
    }

    /// As above, with a check of its own for the status.
    long make(String call, ToIntFunction<long[]> function, LongConsumer undo, Check check) {
        long[] made = new long[1];
        boolean isMade = false;
        try (Current _ = makeCurrent()) {
            check.check(call, function.applyAsInt(made));
            isMade = true;
        } catch (RuntimeException e) {
            if (isMade) {
                undo.accept(made[0]);
            }
            throw e;
        }
        return made[0];
    }

    /// Throws if the status is an error.
    interface Check {
        void check(String call, int status);
    }
}

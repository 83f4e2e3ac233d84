package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import java.util.function.LongSupplier;

/// The one place where a status of HIP becomes an exception.
///
/// @param hip the functions
record HipRuntime(Hip hip) {
    static final String BACKEND = "hip";

    /// Returns if the call succeeded.
    ///
    /// @throws BackendException with the library, the call, the status and HIP's name for it
    void check(String call, int status) {
        if (status != Hip.SUCCESS) {
            throw failure(call, status);
        }
    }

    /// As [#check], for a call that asks for memory.
    ///
    /// @param requested the bytes asked for
    /// @param free says how many are free, −1 if that is unknown; asked only if there are not enough
    /// @throws OutOfDeviceMemoryException if there are not enough
    void checkMemory(String call, int status, long requested, LongSupplier free) {
        if (status == Hip.OUT_OF_MEMORY) {
            hip.hipGetLastError();
            throw new OutOfDeviceMemoryException(requested, free.getAsLong(), Where.backend(BACKEND));
        }
        check(call, status);
    }

    /// The exception of a call that failed. HIP's own record of the error is cleared: the thread is the user's.
    BackendException failure(String call, int status) {
        return failure(call, status, "");
    }

    /// As above, with a way out.
    BackendException failure(String call, int status, String wayOut) {
        hip.hipGetLastError();
        String name = hip.hipGetErrorName(status);
        String text = hip.hipGetErrorString(status);
        return BackendException.ofStatus(BACKEND, hip.library(), call, status,
                name + (text.equals(name) ? "" : ": " + text) + wayOut);
    }
}

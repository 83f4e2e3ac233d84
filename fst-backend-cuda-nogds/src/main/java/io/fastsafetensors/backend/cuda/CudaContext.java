package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaStatus;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/// The primary context of one device, shared with everything else in the process that uses the device. Current on a
/// thread only while one of these methods runs, whatever was current before; on no thread otherwise. Thread-safe.
final class CudaContext implements AutoCloseable {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.backend.cuda");

    private final CudaDriver driver;
    private final CudaStatus status;
    private final CudaDriver.Device device;
    private final CudaDriver.Context context;

    /// Retains the context; the first user of the device in the process creates it, which takes a while.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses
    CudaContext(CudaDriver driver, CudaStatus status, CudaDriver.Device device) {
        this.driver = driver;
        this.status = status;
        this.device = device;
        CudaDriver.Context[] retained = new CudaDriver.Context[1];
        status.check("cuDevicePrimaryCtxRetain", driver.cuDevicePrimaryCtxRetain(retained, device));
        this.context = retained[0];
    }

    CudaDriver driver() {
        return driver;
    }

    CudaStatus status() {
        return status;
    }

    /// Calls a driver function with the context current.
    ///
    /// @param call the function's name
    /// @param function returns its status
    /// @throws io.fastsafetensors.error.BackendException if it fails
    void run(String call, IntSupplier function) {
        status.check(call, query(function));
    }

    /// As [#run], for functions whose status is more than success or failure.
    ///
    /// @return the status
    int query(IntSupplier function) {
        enter();
        try {
            return function.getAsInt();
        } finally {
            leave();
        }
    }

    /// Does something with the context current that may call other libraries.
    <T> T with(Supplier<T> work) {
        enter();
        try {
            return work.get();
        } finally {
            leave();
        }
    }

    /// Makes the context current until [#leave()]. What each block of a load calls uses this pair, with
    /// [CudaStatus#check(String, int)] in between, rather than a lambda: a dozen readers that come to one for the first
    /// time link it a dozen times, and each block allocates one.
    void enter() {
        status.check("cuCtxPushCurrent", driver.cuCtxPushCurrent(context));
    }

    /// Ends what [#enter()] began. A failure here is one of earlier work, which its fence reports, or of the context, which the next call reports.
    /// Thrown, it would lose the result of the call that has just succeeded.
    void leave() {
        int popped = driver.cuCtxPopCurrent();
        if (popped != CudaDriver.CUDA_SUCCESS) {
            LOG.log(Level.DEBUG, () -> status.failure("cuCtxPopCurrent", popped, "").getMessage());
        }
    }

    /// Releases the context; the last user's release destroys it. Called once, when nothing of it is left.
    @Override
    public void close() {
        status.check("cuDevicePrimaryCtxRelease", driver.cuDevicePrimaryCtxRelease(device));
    }
}

package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import java.util.concurrent.atomic.AtomicInteger;

/// A reference-counted `cl_event`: the stream whose last command it is, fences and waiting threads retain it; the last
/// release frees it. Thread-safe.
final class ClEvent {
    private final OpenCl cl;
    private final long handle;
    private final AtomicInteger holders = new AtomicInteger(1);

    /// Held once, by the caller.
    ClEvent(OpenCl cl, long handle) {
        this.cl = cl;
        this.handle = handle;
    }

    /// The `cl_event`, for a holder.
    long handle() {
        return handle;
    }

    /// Holds it once more; false if it is gone already.
    boolean hold() {
        return holders.getAndUpdate(count -> count == 0 ? 0 : count + 1) > 0;
    }

    /// Releases one reference.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses to release it
    void release() {
        if (holders.decrementAndGet() == 0) {
            ClStatus.check("clReleaseEvent", cl.clReleaseEvent(handle));
        }
    }

    /// Whether the command is done: `CL_COMPLETE`, positive while it is not, or the negative status it failed with.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the driver does not say
    int status() {
        int[] status = new int[1];
        ClStatus.check("clGetEventInfo", cl.clGetEventInfo(handle, OpenCl.CL_EVENT_COMMAND_EXECUTION_STATUS, status));
        return status[0];
    }

    /// Waits until the command is done and returns `CL_COMPLETE`, or the negative status it failed with.
    ///
    /// @throws io.fastsafetensors.error.BackendException if waiting failed
    int await() {
        int waited = cl.clWaitForEvents(handle);
        if (waited != OpenCl.CL_SUCCESS) {
            int status = status();
            if (status >= 0) {
                ClStatus.check("clWaitForEvents", waited);
            }
            return status;
        }
        return OpenCl.CL_COMPLETE;
    }

    /// Turns the status of a command into an exception, if it failed.
    static void check(int status) {
        if (status < 0) {
            throw ClStatus.failure("a queued command", status,
                    "; what was copied or computed since the last fence that passed is lost");
        }
    }
}

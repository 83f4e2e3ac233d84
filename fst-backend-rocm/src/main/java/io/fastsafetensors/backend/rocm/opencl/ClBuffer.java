package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/// A `cl_mem` of at least one byte.
final class ClBuffer implements DeviceBuffer, ClosedWithBackend {
    private final OpenClBackend backend;
    private final long handle;
    private final long bytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    ClBuffer(OpenClBackend backend, long handle, long bytes) {
        this.backend = backend;
        this.handle = handle;
        this.bytes = bytes;
    }

    @Override
    public long byteSize() {
        requireOpen();
        return bytes;
    }

    @Override
    public DeviceHandle handle() {
        requireOpen();
        return DeviceHandle.object(DeviceHandle.Kind.CL_MEM, handle);
    }

    @Override
    public Optional<MemorySegment> segment() {
        requireOpen();
        return Optional.empty();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            backend.forget(this);
            ClStatus.check("clReleaseMemObject", backend.cl().clReleaseMemObject(handle));
        }
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the buffer of " + bytes + " bytes is closed");
        }
    }
}

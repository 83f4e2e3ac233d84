package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;

/// The caller's memory, page-locked while this is open.
final class CudaRegistration implements HostRegistration {
    private static final long PAGE = 4096;
    private static final String ADVICE = " memory is registered from a page's start, and a read-only mapping as such;"
            + " a mapping of a file must be shared to be fast. Without registration copies go through staging memory";

    private final long bytes;
    private final Lifetime lifetime;

    /// @throws IllegalArgumentException if the memory does not start at a page
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses
    CudaRegistration(CudaContext context, MemorySegment memory, boolean readOnly, Lifetime backend) {
        HostBytes.requireReadable(memory);
        if (!memory.isNative() || memory.byteSize() == 0 || memory.address() % PAGE != 0) {
            throw new IllegalArgumentException("cannot register " + memory + ": it must be native memory of at least"
                    + " one byte that starts at a multiple of " + PAGE);
        }
        CudaDriver driver = context.driver();
        long address = memory.address();
        int flags = CudaDriver.CU_MEMHOSTREGISTER_PORTABLE | (readOnly ? CudaDriver.CU_MEMHOSTREGISTER_READ_ONLY : 0);
        this.bytes = memory.byteSize();
        int result = context.query(() -> driver.cuMemHostRegister(address, bytes, flags));
        if (result != CudaDriver.CUDA_SUCCESS) {
            throw context.status().failure("cuMemHostRegister", result, bytes + " bytes" + (readOnly
                    ? ", read-only" : "") + ";" + ADVICE);
        }
        this.lifetime = backend.memory("the registration of " + bytes + " bytes",
                () -> context.run("cuMemHostUnregister", () -> driver.cuMemHostUnregister(address)));
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public void close() {
        lifetime.close();
    }
}

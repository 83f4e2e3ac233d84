package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;

/// Takes and gives back page-locked host memory, in whole pages.
final class PinnedMemory {
    private static final long PAGE = 4096;
    /// As far as sizes go when they are rounded up.
    private static final long LARGEST = Long.MAX_VALUE - 2 * PAGE;

    private final CudaContext context;
    private final CudaDriver driver;

    PinnedMemory(CudaContext context) {
        this.context = context;
        this.driver = context.driver();
    }

    /// What the driver gave, and where in it the first page starts.
    ///
    /// @param address the driver's address
    /// @param aligned the address to use
    record Block(long address, long aligned) {
    }

    /// At least `bytes` from the start of a page. The driver packs small sizes closer than that; a page more is taken
    /// only when it did.
    ///
    /// @throws OutOfDeviceMemoryException if the host has not that much to lock
    Block take(long bytes) {
        long wanted = pageCeiling(Math.clamp(bytes, 1, LARGEST));
        long address = allocate(wanted, bytes);
        if ((address & PAGE - 1) == 0) {
            return new Block(address, address);
        }
        free(new Block(address, address));
        address = allocate(wanted + PAGE, bytes);
        return new Block(address, pageCeiling(address));
    }

    void free(Block block) {
        context.run("cuMemFreeHost", () -> driver.cuMemFreeHost(block.address));
    }

    private long allocate(long bytes, long requested) {
        long[] address = new long[1];
        int result =
                context.query(() -> driver.cuMemHostAlloc(address, bytes, CudaDriver.CU_MEMHOSTALLOC_PORTABLE));
        if (result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY) {
            throw new OutOfDeviceMemoryException(requested, -1, Where.backend(CudaBackend.NAME));
        }
        if (result != CudaDriver.CUDA_SUCCESS) {
            throw context.status().failure("cuMemHostAlloc", result,
                    bytes + " bytes of page-locked memory were asked for; one piece of it is smaller than 2 GiB");
        }
        return address[0];
    }

    private static long pageCeiling(long value) {
        return value + PAGE - 1 & -PAGE;
    }
}

package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.AlignedBlock;
import io.fastsafetensors.spi.MemoryInfo;

/// Takes and gives back device memory, and keeps some of what was given back.
final class DeviceMemory {
    private static final long QUIET_MILLIS = 10_000;

    private final CudaContext context;
    private final CudaDriver driver;
    private final long total;
    private final KeptMemory kept;

    /// @param total the device's memory in bytes
    /// @param mostKept bytes to keep at most
    DeviceMemory(CudaContext context, long total, long mostKept) {
        this.context = context;
        this.driver = context.driver();
        this.total = total;
        this.kept = new KeptMemory(mostKept, QUIET_MILLIS, block -> freeNow(block.base()));
    }

    /// At least `bytes` at a multiple of `alignment`.
    ///
    /// @throws OutOfDeviceMemoryException naming requested and free bytes
    AlignedBlock take(long bytes, long alignment) {
        AlignedBlock again = kept.take(Math.max(bytes, 1), alignment);
        return again != null ? again
                : AlignedBlock.allocate(bytes, alignment, size -> allocate(size, bytes), this::freeNow);
    }

    /// Gives a block back. Returns when the device does not use it any more, whatever stream it was used on: the driver's
    /// own free waits for that too.
    void free(AlignedBlock block) {
        boolean idle = block.bytes() >= KeptMemory.SMALLEST
                && context.query(driver::cuCtxSynchronize) == CudaDriver.CUDA_SUCCESS;
        if (!idle || !kept.keep(block)) {
            freeNow(block.base());
        }
    }

    private void freeNow(long address) {
        context.run("cuMemFree", () -> driver.cuMemFree(address));
    }

    /// Frees what is kept.
    void trim() {
        kept.release();
    }

    /// Frees what is kept, and keeps nothing any more.
    void close() {
        kept.close();
    }

    /// The bytes that are kept.
    long keptBytes() {
        return kept.bytes();
    }

    /// Kept memory counts as free, because the next allocation gets it.
    MemoryInfo info() {
        long[] free = new long[1];
        long[] all = new long[1];
        context.run("cuMemGetInfo", () -> driver.cuMemGetInfo(free, all));
        return MemoryInfo.of(free[0] + kept.bytes(), all[0]);
    }

    private long allocate(long bytes, long requested) {
        long[] address = new long[1];
        int result = context.query(() -> driver.cuMemAlloc(address, bytes));
        if (result != CudaDriver.CUDA_SUCCESS && KeptMemory.releaseAll()) {
            result = context.query(() -> driver.cuMemAlloc(address, bytes));
        }
        // A size that makes no sense to the driver is an invalid value to it.
        if (result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY
                || (result == CudaDriver.CUDA_ERROR_INVALID_VALUE && bytes > total)) {
            throw new OutOfDeviceMemoryException(requested, freeBytes(), Where.backend(CudaBackend.NAME));
        }
        context.status().check("cuMemAlloc", result);
        return address[0];
    }

    private long freeBytes() {
        try {
            return info().free();
        } catch (BackendException e) {
            return -1;
        }
    }
}

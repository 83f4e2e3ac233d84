package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
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
        this.kept = new KeptMemory(mostKept, QUIET_MILLIS, this::freeNow);
    }

    /// What the driver gave, and where in it the aligned memory starts.
    ///
    /// @param address the driver's address
    /// @param aligned the address to use
    /// @param bytes how many there are from `aligned` on
    record Block(long address, long aligned, long bytes) {
    }

    /// At least `bytes` at a multiple of `alignment`. The driver aligns large allocations to far more than it
    /// promises (256 bytes), so more than asked for is taken only when it did not.
    ///
    /// @throws OutOfDeviceMemoryException naming requested and free bytes
    Block take(long bytes, long alignment) {
        long wanted = Math.max(bytes, 1);
        Block again = kept.take(wanted, alignment);
        if (again != null) {
            return again;
        }
        long address = allocate(wanted, bytes);
        if (isAligned(address, alignment)) {
            return new Block(address, address, wanted);
        }
        freeNow(new Block(address, address, wanted));
        long slack = alignment - 1;
        address = allocate(wanted > Long.MAX_VALUE - slack ? Long.MAX_VALUE : wanted + slack, bytes);
        return new Block(address, address + slack & -alignment, wanted);
    }

    /// Gives a block back. Returns when the device does not use it any more, whatever stream it was used on: the driver's
    /// own free waits for that too.
    void free(Block block) {
        boolean idle = block.bytes >= KeptMemory.SMALLEST
                && context.query(driver::cuCtxSynchronize) == CudaDriver.CUDA_SUCCESS;
        if (!idle || !kept.keep(block)) {
            freeNow(block);
        }
    }

    private void freeNow(Block block) {
        context.run("cuMemFree", () -> driver.cuMemFree(block.address));
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

    /// What is kept counts as free, since whoever allocates gets it.
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

    static boolean isAligned(long address, long alignment) {
        return (address & alignment - 1) == 0;
    }
}

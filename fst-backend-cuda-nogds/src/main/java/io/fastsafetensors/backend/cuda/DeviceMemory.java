package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.MemoryInfo;

/// Takes and gives back device memory.
final class DeviceMemory {
    private final CudaContext context;
    private final CudaDriver driver;
    private final long total;

    /// @param total the device's memory in bytes
    DeviceMemory(CudaContext context, long total) {
        this.context = context;
        this.driver = context.driver();
        this.total = total;
    }

    /// What the driver gave, and where in it the aligned memory starts.
    ///
    /// @param address the driver's address
    /// @param aligned the address to use
    record Block(long address, long aligned) {
    }

    /// At least `bytes` at a multiple of `alignment`. The driver aligns large allocations to far more than it
    /// promises (256 bytes), so more than asked for is taken only when it did not.
    ///
    /// @throws OutOfDeviceMemoryException naming requested and free bytes
    Block take(long bytes, long alignment) {
        long wanted = Math.max(bytes, 1);
        long address = allocate(wanted, bytes);
        if (isAligned(address, alignment)) {
            return new Block(address, address);
        }
        free(new Block(address, address));
        long slack = alignment - 1;
        address = allocate(wanted > Long.MAX_VALUE - slack ? Long.MAX_VALUE : wanted + slack, bytes);
        return new Block(address, address + slack & -alignment);
    }

    void free(Block block) {
        context.run("cuMemFree", () -> driver.cuMemFree(block.address));
    }

    MemoryInfo info() {
        long[] free = new long[1];
        long[] all = new long[1];
        context.run("cuMemGetInfo", () -> driver.cuMemGetInfo(free, all));
        return new MemoryInfo(free[0], all[0]);
    }

    private long allocate(long bytes, long requested) {
        long[] address = new long[1];
        int result = context.query(() -> driver.cuMemAlloc(address, bytes));
        // A size that makes no sense to the driver is an invalid value to it.
        if (result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY
                || (result == CudaDriver.CUDA_ERROR_INVALID_VALUE && bytes > total)) {
            throw new OutOfDeviceMemoryException(requested, freeNow(), Where.backend(CudaBackend.NAME));
        }
        context.status().check("cuMemAlloc", result);
        return address[0];
    }

    private long freeNow() {
        try {
            return info().free();
        } catch (BackendException e) {
            return -1;
        }
    }

    private static boolean isAligned(long address, long alignment) {
        return (address & alignment - 1) == 0;
    }
}

package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.AlignedBlock;
import io.fastsafetensors.gpu.HostBytes;
import io.fastsafetensors.gpu.NativeMemory;
import io.fastsafetensors.gpu.PopulatedPages;
import io.fastsafetensors.gpu.ffm.PageLibC;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Page-locked host memory of one backend, in whole pages: large blocks are mapped on huge pages and registered, which
/// takes a fraction of the time that the driver's allocation does; others are allocated, or the caller's own, registered.
final class PinnedMemory {
    private static final long PAGE = 4096;
    /// As far as sizes go when they are rounded up.
    private static final long LARGEST = Long.MAX_VALUE - 2 * PAGE;
    /// JCuda wraps what it allocates in a byte buffer, whose size is an int.
    private static final long PIECE = 1L << 31;
    private static final String ADVICE = " memory is registered from a page's start, and a read-only mapping as such;"
            + " a mapping of a file must be shared to be fast. Without registration copies go through staging memory";

    private final CudaContext context;
    private final CudaDriver driver;
    private final Lifetime backend;
    private final Optional<PageLibC> libc;

    /// @param backend the backend's lifetime
    /// @param libc maps large blocks; empty where the driver registers no memory
    PinnedMemory(CudaContext context, Lifetime backend, Optional<PageLibC> libc) {
        this.libc = libc;
        this.context = context;
        this.driver = context.driver();
        this.backend = backend;
    }

    /// Allocates memory that starts at a page.
    ///
    /// @throws OutOfDeviceMemoryException if the host has not that much to lock
    StagingBuffer allocate(long bytes) {
        long pages = Math.clamp(bytes, 1, LARGEST) + PAGE - 1 & -PAGE;
        if (libc.isPresent() && pages >= PopulatedPages.HUGE_PAGE && pages < PIECE) {
            Optional<StagingBuffer> registered = allocateRegistered(libc.get(), pages, bytes);
            if (registered.isPresent()) {
                return registered.get();
            }
        }
        AlignedBlock block = AlignedBlock.allocate(pages, PAGE, size -> allocate(size, bytes), this::free);
        return NativeMemory.staging(backend, block.address(), bytes, () -> free(block.base()));
    }

    /// Empty where the kernel or the driver refuses: then the driver's own allocation says why.
    private Optional<StagingBuffer> allocateRegistered(PageLibC pageLibC, long pages, long bytes) {
        PopulatedPages mapped = PopulatedPages.map(pageLibC, pages).orElse(null);
        if (mapped == null) {
            return Optional.empty();
        }
        int result = context.query(
                () -> driver.cuMemHostRegister(mapped.address(), pages, CudaDriver.CU_MEMHOSTREGISTER_PORTABLE));
        if (result != CudaDriver.CUDA_SUCCESS) {
            mapped.unmap(pageLibC);
            return Optional.empty();
        }
        return Optional.of(NativeMemory.staging(backend, mapped.address(), bytes, () -> {
            // What the driver does not give up may still be read by the device: then it stays mapped.
            unregister(mapped.address());
            mapped.unmap(pageLibC);
        }));
    }

    private void unregister(long address) {
        context.run("cuMemHostUnregister", () -> driver.cuMemHostUnregister(address));
    }

    private void free(long address) {
        context.run("cuMemFreeHost", () -> driver.cuMemFreeHost(address));
    }

    private long allocate(long bytes, long requested) {
        long[] address = new long[1];
        int result =
                context.query(() -> driver.cuMemHostAlloc(address, bytes, CudaDriver.CU_MEMHOSTALLOC_PORTABLE));
        if (result == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY) {
            throw new OutOfDeviceMemoryException(requested, -1, Where.backend(CudaBackend.NAME));
        }
        if (result != CudaDriver.CUDA_SUCCESS && bytes >= PIECE) {
            throw new OutOfDeviceMemoryException(requested, -1, "one piece of page-locked memory is smaller than 2 GiB",
                    Where.backend(CudaBackend.NAME));
        }
        if (result != CudaDriver.CUDA_SUCCESS) {
            throw context.status().failure("cuMemHostAlloc", result,
                    bytes + " bytes of page-locked memory were asked for");
        }
        return address[0];
    }

    /// Page-locks the caller's memory.
    ///
    /// @throws IllegalArgumentException if the memory does not start at a page
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses
    HostRegistration register(MemorySegment memory, boolean readOnly) {
        HostBytes.requireReadable(memory);
        if (!memory.isNative() || memory.byteSize() == 0 || memory.address() % PAGE != 0) {
            throw new IllegalArgumentException("cannot register " + memory + ": it must be native memory of at least"
                    + " one byte that starts at a multiple of " + PAGE);
        }
        long address = memory.address();
        long bytes = memory.byteSize();
        int flags = CudaDriver.CU_MEMHOSTREGISTER_PORTABLE | (readOnly ? CudaDriver.CU_MEMHOSTREGISTER_READ_ONLY : 0);
        int result = context.query(() -> driver.cuMemHostRegister(address, bytes, flags));
        if (result != CudaDriver.CUDA_SUCCESS) {
            throw context.status().failure("cuMemHostRegister", result, bytes + " bytes" + (readOnly
                    ? ", read-only" : "") + ";" + ADVICE);
        }
        return NativeMemory.registration(backend, bytes,
                () -> unregister(address));
    }
}

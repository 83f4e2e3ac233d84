package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/// A buffer in memory that the driver chose, mapped as long as it lives. [#close()] throws [IllegalStateException], and
/// changes nothing, while a native call in flight uses the segment.
final class ClStaging implements StagingBuffer, ClosedWithBackend {
    /// So that direct reads from disk can land there.
    static final long ALIGNMENT = 4096;
    /// What one mapping, a byte buffer, can hold with room to align.
    static final long LARGEST = Integer.MAX_VALUE - ALIGNMENT;

    private final OpenClBackend backend;
    private final long handle;
    private final ByteBuffer mapped;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;
    private boolean closed;

    private ClStaging(OpenClBackend backend, long handle, ByteBuffer mapped, long bytes) {
        this.backend = backend;
        this.handle = handle;
        this.mapped = mapped;
        long start = MemorySegment.ofBuffer(mapped).address();
        this.segment = RawMemory.view(Math.ceilDiv(start, ALIGNMENT) * ALIGNMENT, bytes, arena);
    }

    /// Allocates and maps.
    ///
    /// @param bytes at most [#LARGEST]
    static ClStaging map(OpenClBackend backend, long bytes) {
        OpenCl cl = backend.cl();
        long size = bytes + ALIGNMENT;
        long handle = backend.create(OpenCl.CL_MEM_READ_WRITE | OpenCl.CL_MEM_ALLOC_HOST_PTR, size);
        int[] status = new int[1];
        ByteBuffer mapped = cl.clEnqueueMapBuffer(backend.queue(), handle, OpenCl.CL_MAP_READ | OpenCl.CL_MAP_WRITE,
                size, status);
        if (mapped == null || status[0] != OpenCl.CL_SUCCESS) {
            RuntimeException refused = backend.refusal("clEnqueueMapBuffer", status[0], bytes);
            throw new Releases().run(
                    () -> ClStatus.check("clReleaseMemObject", cl.clReleaseMemObject(handle))).because(refused);
        }
        return new ClStaging(backend, handle, mapped, bytes);
    }

    @Override
    public synchronized MemorySegment segment() {
        if (closed) {
            throw new IllegalStateException("the staging buffer of " + segment.byteSize() + " bytes is closed");
        }
        return segment;
    }

    /// Drivers do not say; those of devices with memory of their own lock what they hand out for mapping.
    @Override
    public boolean isPageLocked() {
        return !backend.isHost();
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        try {
            arena.close();
        } catch (IllegalStateException e) {
            throw new IllegalStateException("the staging buffer of " + segment.byteSize()
                    + " bytes is in use by a native call and stays open; close it again when that has returned", e);
        }
        closed = true;
        backend.forget(this);
        OpenCl cl = backend.cl();
        new Releases()
                .run(() -> ClStatus.check("clEnqueueUnmapMemObject",
                        cl.clEnqueueUnmapMemObject(backend.queue(), handle, mapped)))
                .run(() -> ClStatus.check("clReleaseMemObject", cl.clReleaseMemObject(handle)))
                .run(() -> ClStatus.check("clFlush", cl.clFlush(backend.queue()))).finish();
    }

    /// The first byte's address; the same before and after it is closed.
    long address() {
        return segment.address();
    }

    boolean holds(MemorySegment memory) {
        return memory.address() >= address()
                && memory.address() - address() <= segment.byteSize() - memory.byteSize();
    }
}

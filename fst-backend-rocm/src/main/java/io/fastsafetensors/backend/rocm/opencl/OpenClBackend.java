package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;

/// One device in a context of its own.
///
/// A `cl_mem` has no address, so an alignment cannot be seen; every buffer starts at the device's base alignment, which
/// its attributes name, and more than that cannot be asked of OpenCL. Larger alignments are accepted for offsets' sake.
final class OpenClBackend implements Backend {
    /// Measured on an H200: 4 MiB blocks over 8 queues reach the bus's limit, 16 queues less.
    private static final TransferHints HINTS = TransferHints.defaults().withReaders(8);
    private static final TransferHints HOST_HINTS = TransferHints.defaults();

    private final OpenCl cl;
    private final ClDevice device;
    private final long context;
    private final long queue;
    private final ClProgram program;
    private final Kernels kernels = new ClKernels(this);
    private final Set<ClosedWithBackend> streams = ConcurrentHashMap.newKeySet();
    private final Set<ClosedWithBackend> memory = ConcurrentHashMap.newKeySet();
    private final ConcurrentSkipListMap<Long, ClStaging> staging = new ConcurrentSkipListMap<>();
    private volatile boolean closed;
    private boolean released;

    private OpenClBackend(OpenCl cl, ClDevice device, long context, long queue) {
        this.cl = cl;
        this.device = device;
        this.context = context;
        this.queue = queue;
        this.program = new ClProgram(cl, context, device);
    }

    /// @throws BackendException if the driver refuses
    static OpenClBackend open(OpenCl cl, ClDevice device) {
        int[] status = new int[1];
        long context = ClStatus.check("clCreateContext", cl.clCreateContext(device.platform(), device.handle(), status),
                status);
        try {
            return new OpenClBackend(cl, device, context, newQueue(cl, context, device));
        } catch (RuntimeException e) {
            throw new Releases().run(() -> ClStatus.check("clReleaseContext", cl.clReleaseContext(context))).because(e);
        }
    }

    @Override
    public String name() {
        return ClStatus.BACKEND;
    }

    @Override
    public DeviceInfo info() {
        return device.info();
    }

    @Override
    public TransferHints hints() {
        return device.isHost() ? HOST_HINTS : HINTS;
    }

    @Override
    public MemoryInfo memory() {
        requireOpen();
        long total = device.info().totalBytes();
        if (!device.tellsFreeMemory()) {
            return MemoryInfo.of(-1, total);
        }
        long kibibytes = new OpenClQuery(cl).firstSize(device.handle(), OpenCl.CL_DEVICE_GLOBAL_FREE_MEMORY_AMD);
        return MemoryInfo.of(Math.min(kibibytes << 10, total), total);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        if (bytes < 0 || alignment < 1 || Long.bitCount(alignment) != 1) {
            throw new IllegalArgumentException(
                    "cannot allocate " + bytes + " bytes at a multiple of " + alignment + ": no size or power of two");
        }
        requireOpen();
        if (bytes > device.maxAllocation()) {
            throw new OutOfDeviceMemoryException(bytes, free(), "the device's largest buffer"
                    + " (CL_DEVICE_MAX_MEM_ALLOC_SIZE) is " + device.maxAllocation() + " bytes", where());
        }
        long handle = create(OpenCl.CL_MEM_READ_WRITE, Math.max(1, bytes));
        try {
            touch(handle, bytes);
        } catch (RuntimeException e) {
            throw new Releases().run(() -> ClStatus.check("clReleaseMemObject", cl.clReleaseMemObject(handle)))
                    .because(e);
        }
        return keep(new ClBuffer(this, handle, bytes), memory);
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("cannot allocate " + bytes + " bytes of staging memory");
        }
        requireOpen();
        if (bytes > ClStaging.LARGEST) {
            throw new OutOfDeviceMemoryException(bytes, -1,
                    "one staging buffer has at most " + ClStaging.LARGEST + " bytes", where());
        }
        ClStaging made = ClStaging.map(this, bytes);
        staging.put(made.address(), made);
        return keep(made, memory);
    }

    @Override
    public CopyStream openCopyStream() {
        requireOpen();
        return keep(new ClStream(this, newQueue(cl, context, device)), streams);
    }

    @Override
    public Kernels kernels() {
        requireOpen();
        return kernels;
    }

    /// Frees what is still open. Staging memory that a native call in flight uses stays, with the context, and a later
    /// close tries again.
    ///
    /// @throws IllegalStateException if some memory is in use by a native call
    @Override
    public synchronized void close() {
        closed = true;
        Releases releases = new Releases();
        streams.forEach(each -> releases.run(each::close));
        memory.forEach(each -> releases.run(each::close));
        if (!released && memory.isEmpty()) {
            released = true;
            releases.run(program::close).run(() -> ClStatus.check("clFinish", cl.clFinish(queue)))
                    .run(() -> ClStatus.check("clReleaseCommandQueue", cl.clReleaseCommandQueue(queue)))
                    .run(() -> ClStatus.check("clReleaseContext", cl.clReleaseContext(context)));
        }
        releases.finish();
    }

    OpenCl cl() {
        return cl;
    }

    /// The queue for what belongs to no stream.
    long queue() {
        return queue;
    }

    boolean isHost() {
        return device.isHost();
    }

    ClProgram program() {
        return program;
    }

    /// Whether this is memory of an open staging buffer, which a copy may use after its call returned.
    boolean isStaging(MemorySegment host) {
        Map.Entry<Long, ClStaging> before = staging.floorEntry(host.address());
        return before != null && before.getValue().holds(host);
    }

    void forget(ClosedWithBackend closing) {
        streams.remove(closing);
        memory.remove(closing);
        if (closing instanceof ClStaging slot) {
            staging.remove(slot.address(), slot);
        }
    }

    /// Creates a `cl_mem`.
    ///
    /// @throws OutOfDeviceMemoryException if there is no room
    long create(long flags, long bytes) {
        int[] status = new int[1];
        long handle = cl.clCreateBuffer(context, flags, bytes, status);
        if (status[0] != OpenCl.CL_SUCCESS) {
            throw refusal("clCreateBuffer", status[0], bytes);
        }
        return handle;
    }

    /// What a refused allocation throws.
    BackendException refusal(String call, int status, long bytes) {
        return ClStatus.isOutOfMemory(status)
                ? new OutOfDeviceMemoryException(bytes, free(), call + " says " + ClStatus.name(status), where())
                : ClStatus.failure(call, status, "");
    }

    /// Many drivers take the memory of a buffer when it is first used: use it, so that it is missed here.
    private void touch(long handle, long bytes) {
        long[] event = new long[1];
        int status = cl.clEnqueueFillBuffer(queue, handle, (byte) 0, 0, event);
        if (status == OpenCl.CL_SUCCESS) {
            ClEvent filled = new ClEvent(cl, event[0]);
            try {
                status = filled.await();
            } finally {
                filled.release();
            }
        }
        if (status != OpenCl.CL_SUCCESS) {
            throw refusal("clEnqueueFillBuffer", status, bytes);
        }
    }

    private static long newQueue(OpenCl cl, long context, ClDevice device) {
        int[] status = new int[1];
        return ClStatus.check("clCreateCommandQueue", cl.clCreateCommandQueue(context, device.handle(), status),
                status);
    }

    private <T extends ClosedWithBackend> T keep(T made, Set<ClosedWithBackend> among) {
        among.add(made);
        if (closed) {
            // Closed meanwhile, perhaps without having seen this one.
            made.close();
            requireOpen();
        }
        return made;
    }

    /// Free bytes for a message: −1 also where asking fails, since the refusal that is being reported matters more.
    private long free() {
        try {
            return memory().free();
        } catch (BackendException _) {
            return -1;
        }
    }

    private static Where where() {
        return Where.backend(ClStatus.BACKEND);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the opencl backend is closed");
        }
    }
}

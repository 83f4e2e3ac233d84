package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver.Event;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.ffm.MemoryLibC;
import io.fastsafetensors.spi.ffm.MemoryLibCFfm;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// One NVIDIA device.
final class CudaBackend implements ContextBackend {
    static final String NAME = "cuda";
    static final String DEVICE_TYPE = "cuda";

    /// 256 bytes is what `cuMemAlloc` aligns to and kernels like. Each copy costs the device some 7 µs besides the
    /// transfer, so blocks are large; slots of more than some 150 MiB together leave the processor's cache, so they are
    /// not larger. A page cache gives 3 to 6 GB/s a reader. Measured on an H200: docs/benchmarks/cuda-load.md.
    private static final TransferHints HINTS = new TransferHints(256, 6 << 20, 12, 2);

    private final DeviceInfo info;
    private final boolean registersHostMemory;
    private final CudaContext context;
    private final DeviceMemory deviceMemory;
    private final PinnedMemory pinnedMemory;
    private final EventPool events;
    private final KernelModule module;
    private final CudaKernels kernels;
    private final Set<Lifetime> streams = ConcurrentHashMap.newKeySet();
    private final Set<Lifetime> memory = ConcurrentHashMap.newKeySet();
    /// Shared by those who open something, exclusive for closing the backend.
    private final ReadWriteLock opening = new ReentrantReadWriteLock();
    private final Lifetime lifetime;

    /// @param context this backend's own; closed with it
    /// @param mostKept bytes of device memory to keep for the next load at most
    CudaBackend(CudaContext context, DeviceInfo info, boolean registersHostMemory, long mostKept) {
        this.context = context;
        this.info = info;
        this.registersHostMemory = registersHostMemory;
        this.deviceMemory = new DeviceMemory(context, info.totalBytes(), mostKept);
        this.pinnedMemory = new PinnedMemory(context, registersHostMemory ? systemMemory() : null);
        this.events = new EventPool(context);
        this.lifetime = new Lifetime("the backend of " + info.device(), ConcurrentHashMap.newKeySet(), this::release);
        this.module = new KernelModule(context);
        this.kernels = new CudaKernels(context, module, lifetime);
    }

    private static @Nullable MemoryLibC systemMemory() {
        try {
            return new MemoryLibCFfm();
        } catch (IllegalCallerException | LinkageError e) {
            System.getLogger("io.fastsafetensors.backend.cuda").log(Level.DEBUG, "no native calls", e);
            return null;
        }
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public TransferHints hints() {
        return HINTS;
    }

    @Override
    public MemoryInfo memory() {
        return whileOpen(deviceMemory::info);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        if (bytes < 0 || Long.bitCount(alignment) != 1 || alignment < 1) {
            throw new IllegalArgumentException(
                    "cannot allocate " + bytes + " bytes at a multiple of " + alignment + ": no size or power of two");
        }
        return whileOpen(
                () -> new CudaBuffer(deviceMemory, bytes, deviceMemory.take(bytes, alignment), memory));
    }

    @Override
    public void trim() {
        whileOpen(() -> {
            deviceMemory.trim();
            return this;
        });
    }

    @Override
    public long keptBytes() {
        return deviceMemory.keptBytes();
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("cannot allocate " + bytes + " bytes");
        }
        return whileOpen(() -> new CudaStaging(pinnedMemory, bytes, pinnedMemory.take(bytes), memory));
    }

    @Override
    public CopyStream openCopyStream() {
        return whileOpen(() -> new CudaCopyStream(context, events, streams));
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        return whileOpen(() -> {
            Event event = events.take();
            try {
                context.run("cuEventRecord", () -> context.driver().cuEventRecord(event, nativeStream));
            } catch (RuntimeException e) {
                events.giveBack(event);
                throw e;
            }
            return new CudaFence(context, events, event);
        });
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment host, boolean readOnly) {
        return whileOpen(() -> registersHostMemory
                ? Optional.of(new CudaRegistration(context, host, readOnly, memory)) : Optional.empty());
    }

    @Override
    public Kernels kernels() {
        lifetime.requireOpen();
        return kernels;
    }

    @Override
    public <T> T inContext(Supplier<T> work) {
        lifetime.requireOpen();
        return context.with(work);
    }

    @Override
    public String nameOf(int status) {
        return context.status().nameOf(status);
    }

    /// Frees what is still open, waiting for streams, and gives the context back. What a native call in flight uses
    /// stays, and so does the backend then; a later close tries again.
    ///
    /// @throws IllegalStateException if some staging memory is in use by a native call
    /// @throws io.fastsafetensors.error.BackendException if the driver refused something; it is closed nevertheless
    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        opening.writeLock().lock();
        try {
            Releases releases = new Releases();
            // Streams first: what they still copy must not be freed under them.
            closeAll(streams, releases);
            closeAll(memory, releases);
            if (!memory.isEmpty()) {
                throw new StillInUseException("the backend of " + info.device(), releases.failure().orElse(null));
            }
            releases.run(deviceMemory::close);
            events.close(releases);
            module.close(releases);
            releases.run(context::close);
            releases.finish();
        } finally {
            opening.writeLock().unlock();
        }
    }

    private static void closeAll(Set<Lifetime> open, Releases releases) {
        for (Lifetime each : new ArrayList<>(open)) {
            releases.run(each::close);
        }
    }

    private <T> T whileOpen(Supplier<T> action) {
        opening.readLock().lock();
        try {
            lifetime.requireOpen();
            return action.get();
        } finally {
            opening.readLock().unlock();
        }
    }
}

package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaDriver.Event;
import io.fastsafetensors.gpu.AlignedBlock;
import io.fastsafetensors.gpu.EventPool;
import io.fastsafetensors.gpu.NativeMemory;
import io.fastsafetensors.gpu.ffm.PageLibCFfm;
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
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Supplier;

/// One NVIDIA device.
final class CudaBackend implements ContextBackend {
    static final String NAME = "cuda";
    static final String DEVICE_TYPE = "cuda";

    /// 256 bytes is what `cuMemAlloc` aligns to and kernels like. Each copy costs the device some 7 µs besides the
    /// transfer, so blocks are large; slots of more than some 150 MiB together leave the processor's cache, so they are
    /// not larger. A page cache gives 3 to 6 GB/s a reader. Measured on an H200: docs/benchmarks/cuda-load.md.
    private static final TransferHints HINTS = TransferHints.defaults().withBlockBytes(6 << 20).withReaders(12);

    private final DeviceInfo info;
    private final boolean registersHostMemory;
    private final CudaContext context;
    private final DeviceMemory deviceMemory;
    private final PinnedMemory pinnedMemory;
    private final EventPool<Event> events;
    private final KernelModule module;
    private final CudaKernels kernels;
    private final Lifetime lifetime;
    /// Linked here, once, rather than by every reader of the first load at the same moment.
    private final Supplier<CopyStream> newStream;

    /// @param context this backend's own; closed with it
    /// @param mostKept bytes of device memory to keep for the next load at most
    CudaBackend(CudaContext context, DeviceInfo info, boolean registersHostMemory, long mostKept) {
        this.context = context;
        this.info = info;
        this.registersHostMemory = registersHostMemory;
        this.lifetime = Lifetime.of("the backend of " + info.device(), this::release);
        this.deviceMemory = new DeviceMemory(context, info.totalBytes(), mostKept);
        this.pinnedMemory = new PinnedMemory(context, lifetime,
                registersHostMemory ? Optional.of(new PageLibCFfm()) : Optional.empty());
        this.events = CudaFence.pool(context);
        this.module = new KernelModule(context);
        this.kernels = new CudaKernels(context, module, lifetime);
        this.newStream = () -> new CudaCopyStream(context, events, lifetime);
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
        return lifetime.using(deviceMemory::info);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        if (bytes < 0 || Long.bitCount(alignment) != 1 || alignment < 1) {
            throw new IllegalArgumentException(
                    "cannot allocate " + bytes + " bytes at a multiple of " + alignment + ": no size or power of two");
        }
        return lifetime.using(() -> {
            AlignedBlock block = deviceMemory.take(bytes, alignment);
            return NativeMemory.buffer(lifetime, block.address(), bytes, () -> deviceMemory.free(block));
        });
    }

    @Override
    public void trim() {
        lifetime.using(() -> {
            deviceMemory.trim();
            return this;
        });
    }

    @Override
    public long keptBytes() {
        return deviceMemory.keptBytes();
    }

    @SuppressWarnings("MustBeClosed") // The lifetime closes the arena.
    @Override
    public StagingBuffer allocateStaging(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("cannot allocate " + bytes + " bytes");
        }
        return lifetime.using(() -> pinnedMemory.allocate(bytes));
    }

    @Override
    public CopyStream openCopyStream() {
        return lifetime.using(newStream);
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        return lifetime.using(
                () -> CudaFence.recorded(context, events, new CudaDriver.ForeignStream(nativeStream)));
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment host, boolean readOnly) {
        return lifetime.using(() -> registersHostMemory
                ? Optional.of(pinnedMemory.register(host, readOnly)) : Optional.empty());
    }

    @Override
    public Kernels kernels() {
        lifetime.requireOpen();
        return kernels;
    }

    @Override
    public <T> T onDevice(Supplier<T> work) {
        lifetime.requireOpen();
        return context.with(work);
    }

    @Override
    public long nativeStream(CopyStream stream) {
        return ((CudaCopyStream) stream).stream().address();
    }

    @Override
    public String nameOf(int status) {
        return context.status().nameOf(status);
    }

    /// Frees what is still open, waiting for streams, and gives the context back. What a native call in flight uses
    /// stays, and the context with it; a later close tries again.
    ///
    /// @throws IllegalStateException if some staging memory is in use by a native call
    /// @throws io.fastsafetensors.error.BackendException if the driver refused something; it is closed nevertheless
    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        Releases releases = new Releases().run(deviceMemory::close);
        events.close(releases);
        module.close(releases);
        releases.run(context::close).finish();
    }
}

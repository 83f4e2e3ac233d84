package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/// A CUDA backend with cuFile besides: memory, staging, streams and kernels are those of the decorated one.
final class GdsBackend implements Backend {
    private final Backend delegate;
    private final BufferRegistrations registrations;
    private final GdsStorage storage;
    private final Set<GdsBuffer> open = ConcurrentHashMap.newKeySet();

    /// @param delegate the backend of the device, closed with this one
    /// @param storage closed with this backend
    /// @param registrations those that the storage makes
    GdsBackend(Backend delegate, GdsStorage storage, BufferRegistrations registrations) {
        this.delegate = delegate;
        this.storage = storage;
        this.registrations = registrations;
    }

    @Override
    public String name() {
        return GdsBackendProvider.NAME;
    }

    @Override
    public DeviceInfo info() {
        return delegate.info();
    }

    @Override
    public TransferHints hints() {
        return delegate.hints();
    }

    @Override
    public MemoryInfo memory() {
        return delegate.memory();
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        return new GdsBuffer(underOwnName(() -> delegate.allocate(bytes, alignment)), registrations, open);
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        return underOwnName(() -> delegate.allocateStaging(bytes));
    }

    /// Users know the backend by the name that they chose.
    private static <T> T underOwnName(Supplier<T> allocation) {
        try {
            return allocation.get();
        } catch (OutOfDeviceMemoryException e) {
            OutOfDeviceMemoryException refused = new OutOfDeviceMemoryException(e.requested(), e.free(),
                    Where.backend(GdsBackendProvider.NAME));
            refused.addSuppressed(e);
            throw refused;
        }
    }

    @Override
    public CopyStream openCopyStream() {
        return new GdsStream(delegate.openCopyStream());
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        return delegate.fenceBehind(nativeStream);
    }

    @Override
    public Kernels kernels() {
        return new GdsKernels(delegate.kernels());
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        return Optional.of(storage);
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        return delegate.registerHost(memory, readOnly);
    }

    @Override
    public void trim() {
        delegate.trim();
    }

    @Override
    public long keptBytes() {
        return delegate.keptBytes();
    }

    /// Files first, then what cuFile has registered, then the device.
    @Override
    public void close() {
        Releases releases = new Releases().run(storage::close);
        List.copyOf(open).forEach(buffer -> releases.run(buffer::close));
        releases.run(delegate::close).finish();
    }
}

package io.fastsafetensors.spi.base;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Supplier;

/// Forwards everything to another backend, which is closed with this one; a subclass overrides what it changes.
///
/// Streams, kernels and direct storage are handed out wrapped, so that the other backend gets back the buffers, streams and
/// fences that it made itself, and may know no others. So it is enough to wrap what the decorator adds to:
///
/// ```java
/// @Override
/// public DeviceBuffer allocate(long bytes, long alignment) {
///     return new CountedBuffer(this, super.allocate(bytes, alignment));     // extends ForwardingBuffer
/// }
/// ```
public class ForwardingBackend implements Backend {
    private final String name;
    private final Backend delegate;

    /// A decorator that its users do not know by a name of its own.
    ///
    /// @param delegate who does the work; closed with this
    public ForwardingBackend(Backend delegate) {
        this(delegate.name(), delegate);
    }

    /// A decorator with a name, which also stands in what allocations throw.
    ///
    /// @param name the decorating provider's
    /// @param delegate who does the work; closed with this
    public ForwardingBackend(String name, Backend delegate) {
        this.name = name;
        this.delegate = delegate;
    }

    /// Who does the work.
    protected final Backend delegate() {
        return delegate;
    }

    /// The delegate's own buffer, if this backend wrapped it; any other as it is.
    public final DeviceBuffer unwrap(DeviceBuffer buffer) {
        return buffer instanceof ForwardingBuffer mine && mine.isOf(this) ? mine.delegate() : buffer;
    }

    /// The same bytes of the delegate's own buffer.
    public final BufferSlice unwrap(BufferSlice slice) {
        DeviceBuffer own = unwrap(slice.buffer());
        return own.equals(slice.buffer()) ? slice : new BufferSlice(own, slice.offset(), slice.byteSize());
    }

    /// The delegate's own stream, if this backend wrapped it; any other as it is.
    public final CopyStream unwrap(CopyStream stream) {
        return stream instanceof ForwardingStream mine && mine.isOf(this) ? mine.delegate() : stream;
    }

    /// The delegate's own fence, if this backend wrapped it; any other as it is.
    public final Fence unwrap(Fence fence) {
        return fence instanceof ForwardingFence mine && mine.isOf(this) ? mine.delegate() : fence;
    }

    @Override
    public String name() {
        return name;
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
        return underOwnName(() -> delegate.allocate(bytes, alignment));
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        return underOwnName(() -> delegate.allocateStaging(bytes));
    }

    /// Users know the backend by the name that they chose.
    private <T> T underOwnName(Supplier<T> allocation) {
        try {
            return allocation.get();
        } catch (OutOfDeviceMemoryException e) {
            if (name.equals(delegate.name())) {
                throw e;
            }
            OutOfDeviceMemoryException refused =
                    new OutOfDeviceMemoryException(e.requested(), e.free(), e.limit(), Where.backend(name));
            refused.addSuppressed(e);
            throw refused;
        }
    }

    @Override
    public CopyStream openCopyStream() {
        return new ForwardingStream(this, delegate.openCopyStream());
    }

    @Override
    public Kernels kernels() {
        return new ForwardingKernels(this, delegate.kernels());
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        return delegate.fenceBehind(nativeStream);
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        return delegate.directStorage().map(storage -> new ForwardingStorage(this, storage));
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

    @Override
    public void close() {
        delegate.close();
    }
}

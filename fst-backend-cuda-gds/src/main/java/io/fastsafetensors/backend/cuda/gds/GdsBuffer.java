package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/// A buffer of the decorated backend that knows of its registration with cuFile, which has to end before the memory is
/// freed.
final class GdsBuffer implements DeviceBuffer {
    private final DeviceBuffer delegate;
    private final BufferRegistrations registrations;
    private final Set<GdsBuffer> open;
    private final UseLock lock = new UseLock("the buffer");

    /// @param open the open buffers of the backend, this one among them from now until it is closed
    GdsBuffer(DeviceBuffer delegate, BufferRegistrations registrations, Set<GdsBuffer> open) {
        this.delegate = delegate;
        this.registrations = registrations;
        this.open = open;
        open.add(this);
    }

    /// The decorated backend's own buffer; it may know no other.
    static DeviceBuffer real(DeviceBuffer buffer) {
        return buffer instanceof GdsBuffer decorated ? decorated.delegate : buffer;
    }

    /// The same bytes of the decorated backend's own buffer.
    static BufferSlice real(BufferSlice slice) {
        return new BufferSlice(real(slice.buffer()), slice.offset(), slice.byteSize());
    }

    /// Does work while the memory stays.
    ///
    /// @throws IllegalStateException if the buffer is closed
    <T> T using(Supplier<T> work) {
        return lock.using(work);
    }

    /// The memory's address on the device.
    long address() {
        return delegate.handle().value();
    }

    @Override
    public long byteSize() {
        return delegate.byteSize();
    }

    @Override
    public DeviceHandle handle() {
        return delegate.handle();
    }

    @Override
    public Optional<MemorySegment> segment() {
        return delegate.segment();
    }

    /// Waits for direct reads into the memory, ends its registration and frees it.
    @Override
    public void close() {
        lock.close(() -> {
            open.remove(this);
            try {
                registrations.end(this);
            } finally {
                delegate.close();
            }
        });
    }
}

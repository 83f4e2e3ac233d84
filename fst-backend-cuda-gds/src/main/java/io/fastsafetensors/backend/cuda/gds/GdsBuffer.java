package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.base.ForwardingBuffer;
import io.fastsafetensors.spi.base.Lifetime;
import java.util.function.Supplier;

/// A buffer of the decorated backend that knows of its registration with cuFile, which has to end before the memory is
/// freed.
final class GdsBuffer extends ForwardingBuffer {
    private final BufferRegistrations registrations;
    private final Lifetime lifetime;

    /// @param delegate closed with this
    /// @param backend what the buffer is opened in
    GdsBuffer(GdsBackend owner, DeviceBuffer delegate, BufferRegistrations registrations, Lifetime backend) {
        super(owner, delegate);
        this.registrations = registrations;
        this.lifetime = backend.memory("the buffer", this::release);
    }

    /// Does work while the memory stays.
    ///
    /// @throws IllegalStateException if the buffer is closed
    <T> T using(Supplier<T> work) {
        return lifetime.using(work);
    }

    /// The memory's address on the device.
    long address() {
        return delegate().handle().value();
    }

    private void release() {
        try {
            registrations.end(this);
        } finally {
            delegate().close();
        }
    }

    /// Waits for direct reads into the memory, ends its registration and frees it.
    @Override
    public void close() {
        lifetime.close();
    }
}

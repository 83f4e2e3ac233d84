package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.base.Lifetime;
import java.util.Optional;
import java.util.function.Function;

/// A CUDA backend with cuFile besides: memory, staging, streams and kernels are those of the decorated one.
final class GdsBackend extends ForwardingBackend {
    private final BufferRegistrations registrations;
    private final GdsStorage storage;
    /// Files are closed first, then buffers with what cuFile has registered of them, then the device.
    private final Lifetime lifetime;

    /// @param delegate the backend of the device, closed with this one
    /// @param registrations those that the storage makes
    /// @param storage makes the storage, whose files are opened in the lifetime that it is given
    GdsBackend(Backend delegate, BufferRegistrations registrations, Function<Lifetime, GdsStorage> storage) {
        super(GdsBackendProvider.NAME, delegate);
        this.registrations = registrations;
        this.lifetime = Lifetime.of("the " + GdsBackendProvider.NAME + " backend", delegate::close);
        this.storage = storage.apply(lifetime);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        return new GdsBuffer(this, super.allocate(bytes, alignment), registrations, lifetime);
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        return Optional.of(storage);
    }

    @Override
    public void close() {
        lifetime.close();
    }
}

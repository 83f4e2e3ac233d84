package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A buffer with a size, a handle and perhaps a segment, which answers until its lifetime ends. Thread-safe.
public class BaseBuffer implements DeviceBuffer {
    private final long byteSize;
    private final DeviceHandle handle;
    private final @Nullable MemorySegment segment;
    private final Lifetime lifetime;

    /// A buffer that the host cannot address.
    ///
    /// @param byteSize the size that was asked for
    /// @param handle how native code finds it
    /// @param lifetime what closing the buffer closes
    public BaseBuffer(long byteSize, DeviceHandle handle, Lifetime lifetime) {
        this(byteSize, handle, null, lifetime);
    }

    /// @param byteSize the size that was asked for
    /// @param handle how native code finds it
    /// @param segment the memory, of an arena that ends with the lifetime; null if the host cannot address it
    /// @param lifetime what closing the buffer closes
    public BaseBuffer(long byteSize, DeviceHandle handle, @Nullable MemorySegment segment, Lifetime lifetime) {
        this.byteSize = byteSize;
        this.handle = handle;
        this.segment = segment;
        this.lifetime = lifetime;
    }

    /// Whether the buffer is open, for work on its memory: see [Lifetime#using].
    public final Lifetime lifetime() {
        return lifetime;
    }

    @Override
    public long byteSize() {
        lifetime.requireOpen();
        return byteSize;
    }

    @Override
    public DeviceHandle handle() {
        lifetime.requireOpen();
        return handle;
    }

    @Override
    public Optional<MemorySegment> segment() {
        lifetime.requireOpen();
        return Optional.ofNullable(segment);
    }

    @Override
    public void close() {
        lifetime.close();
    }

    @Override
    public String toString() {
        return lifetime.what();
    }
}

package io.fastsafetensors.spi.base;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.StagingBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Staging memory that answers until its lifetime ends. Thread-safe.
public class BaseStaging implements StagingBuffer {
    private static final long ALIGNMENT = 4096;

    private final MemorySegment segment;
    private final boolean pageLocked;
    private final Lifetime lifetime;

    /// @param segment the memory, of an arena that ends with the lifetime
    /// @param pageLocked whether the driver locked it
    /// @param lifetime what closing the buffer closes
    public BaseStaging(MemorySegment segment, boolean pageLocked, Lifetime lifetime) {
        this.segment = segment;
        this.pageLocked = pageLocked;
        this.lifetime = lifetime;
    }

    /// Plain memory of the host, for a backend whose driver locks none.
    ///
    /// @param bytes from 0
    /// @param owner what the memory is opened in: the backend's lifetime
    /// @param backend the backend's name, for the error
    /// @throws OutOfDeviceMemoryException if the host has not that much
    @SuppressWarnings("MustBeClosed") // The lifetime closes the arena.
    public static StagingBuffer onHost(long bytes, Lifetime owner, String backend) {
        Arena arena = Arena.ofShared();
        boolean made = false;
        try {
            MemorySegment segment = arena.allocate(Math.max(bytes, 1), ALIGNMENT).asSlice(0, bytes);
            Lifetime lifetime = owner.memory("the staging buffer of " + bytes + " bytes", arena, () -> {
            });
            made = true;
            return new BaseStaging(segment, false, lifetime);
        } catch (OutOfMemoryError e) {
            OutOfDeviceMemoryException refused = new OutOfDeviceMemoryException(bytes, -1, Where.backend(backend));
            refused.addSuppressed(e);
            throw refused;
        } finally {
            if (!made && arena.scope().isAlive()) {
                arena.close();
            }
        }
    }

    @Override
    public MemorySegment segment() {
        lifetime.requireOpen();
        return segment;
    }

    @Override
    public boolean isPageLocked() {
        lifetime.requireOpen();
        return pageLocked;
    }

    @Override
    public void close() {
        lifetime.close();
    }
}

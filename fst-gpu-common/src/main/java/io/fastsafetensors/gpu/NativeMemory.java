package io.fastsafetensors.gpu;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.base.BaseBuffer;
import io.fastsafetensors.spi.base.BaseStaging;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Hands out memory that a driver allocated or locked. It is given back when it is closed, or with its backend.
public final class NativeMemory {
    private NativeMemory() {
    }

    /// Device memory at an address that the host cannot use.
    ///
    /// @param backend the backend's lifetime
    /// @param release gives the memory back to the driver
    public static DeviceBuffer buffer(Lifetime backend, long address, long bytes, Runnable release) {
        return new BaseBuffer(bytes, DeviceHandle.pointer(address),
                backend.memory("the buffer of " + bytes + " bytes", release));
    }

    /// Page-locked host memory. Its segment ends when it is closed.
    ///
    /// @param backend the backend's lifetime
    /// @param release gives the memory back to the driver
    @SuppressWarnings("MustBeClosed") // The lifetime closes the arena.
    public static StagingBuffer staging(Lifetime backend, long address, long bytes, Runnable release) {
        Arena arena = Arena.ofShared();
        MemorySegment segment = RawMemory.view(address, bytes, arena);
        return new BaseStaging(segment, true,
                backend.memory("the staging buffer of " + bytes + " bytes", arena, release));
    }

    /// The caller's memory, page-locked until this is closed.
    ///
    /// @param backend the backend's lifetime
    /// @param release ends the page lock
    public static HostRegistration registration(Lifetime backend, long bytes, Runnable release) {
        return new Registration(bytes, backend.memory("the registration of " + bytes + " bytes", release));
    }

    private record Registration(long byteSize, Lifetime lifetime) implements HostRegistration {
        @Override
        public void close() {
            lifetime.close();
        }
    }
}

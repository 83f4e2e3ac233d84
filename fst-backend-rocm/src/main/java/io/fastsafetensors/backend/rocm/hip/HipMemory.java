package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.base.BaseBuffer;
import io.fastsafetensors.spi.base.BaseStaging;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Memory of a device and page-locked memory for it. Thread-safe.
final class HipMemory {
    /// Of staging memory: what direct reads need.
    private static final long PAGE = 4096;
    private static final long UNKNOWN = -1;

    private final HipDevice device;
    private final HipRuntime runtime;
    private final Hip hip;
    private final Lifetime backend;

    HipMemory(HipDevice device, Lifetime backend) {
        this.device = device;
        this.runtime = device.runtime();
        this.hip = device.hip();
        this.backend = backend;
    }

    MemoryInfo info() {
        backend.requireOpen();
        long[] freeAndTotal = new long[2];
        try (HipDevice.Current _ = device.makeCurrent()) {
            runtime.check("hipMemGetInfo", hip.hipMemGetInfo(freeAndTotal));
        }
        return MemoryInfo.of(freeAndTotal[0], freeAndTotal[1]);
    }

    DeviceBuffer allocate(long bytes, long alignment) {
        if (bytes < 0 || alignment < 1 || Long.bitCount(alignment) != 1) {
            throw new IllegalArgumentException(
                    "cannot allocate " + bytes + " bytes at a multiple of " + alignment + ": no size or power of two");
        }
        return backend.using(() -> take(bytes, alignment));
    }

    private DeviceBuffer take(long bytes, long alignment) {
        Place place = Place.find(bytes, alignment,
                size -> device.make("hipMalloc", address -> hip.hipMalloc(address, size), this::deviceFree,
                        (call, status) -> runtime.checkMemory(call, status, bytes, this::free)),
                this::deviceFree);
        return new BaseBuffer(bytes, DeviceHandle.pointer(place.address()),
                backend.memory("the buffer of " + bytes + " bytes", () -> deviceFree(place.base())));
    }

    StagingBuffer allocateStaging(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("cannot allocate " + bytes + " bytes of staging memory");
        }
        return backend.using(() -> takeStaging(bytes));
    }

    @SuppressWarnings("MustBeClosed") // The lifetime closes the arena.
    private StagingBuffer takeStaging(long bytes) {
        Place place = Place.find(bytes, PAGE,
                size -> device.make("hipHostMalloc",
                        address -> hip.hipHostMalloc(address, size, Hip.HOST_MALLOC_PORTABLE), this::hostFree,
                        (call, status) -> runtime.checkMemory(call, status, bytes, () -> UNKNOWN)),
                this::hostFree);
        Arena arena = Arena.ofShared();
        MemorySegment segment = RawMemory.view(place.address(), bytes, arena);
        return new BaseStaging(segment, true,
                backend.memory("the staging buffer of " + bytes + " bytes", arena, () -> hostFree(place.base())));
    }

    HipRegistration register(MemorySegment memory, boolean readOnly) {
        backend.requireOpen();
        if (!memory.isNative() || memory.byteSize() == 0 || memory.address() % PAGE != 0) {
            throw new IllegalArgumentException("only native, page-aligned memory can be registered: " + memory);
        }
        int flags = Hip.HOST_REGISTER_PORTABLE | (readOnly ? Hip.HOST_REGISTER_READ_ONLY : 0);
        long address = device.make("hipHostRegister", registered -> {
            registered[0] = memory.address();
            return hip.hipHostRegister(registered[0], memory.byteSize(), flags);
        }, this::hostUnregister,
                (call, status) -> runtime.checkMemory(call, status, memory.byteSize(), () -> UNKNOWN));
        return new HipRegistration(memory.byteSize(),
                backend.memory("the registration of " + memory.byteSize() + " bytes",
                        () -> hostUnregister(address)));
    }

    /// How many bytes of the current device are free now.
    private long free() {
        long[] freeAndTotal = new long[2];
        return hip.hipMemGetInfo(freeAndTotal) == Hip.SUCCESS ? freeAndTotal[0] : UNKNOWN;
    }

    private void deviceFree(long address) {
        runtime.check("hipFree", hip.hipFree(address));
    }

    private void hostUnregister(long address) {
        runtime.check("hipHostUnregister", hip.hipHostUnregister(address));
    }

    private void hostFree(long address) {
        runtime.check("hipHostFree", hip.hipHostFree(address));
    }
}

package io.fastsafetensors.testkit.kernel;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// Host memory of exactly a size, aligned as device memory is, and followed by nothing.
public final class HostMemory implements DeviceBuffer {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;

    /// Random bytes.
    public HostMemory(long byteSize, RandomGenerator random) {
        // The end of the allocation is the end of the memory, so that a sanitizer sees every byte read beyond.
        memory = arena.allocate(Math.max(1, byteSize), 256).asSlice(0, byteSize);
        byte[] bytes = new byte[Math.toIntExact(byteSize)];
        random.nextBytes(bytes);
        memory.copyFrom(MemorySegment.ofArray(bytes));
    }

    /// A part of it.
    public BufferSlice slice(long offset, long byteSize) {
        return new BufferSlice(this, offset, byteSize);
    }

    /// The bytes of a part.
    public MemorySegment bytes(long offset, long byteSize) {
        return memory.asSlice(offset, byteSize);
    }

    /// A copy of all bytes.
    public byte[] copy() {
        return memory.toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public long byteSize() {
        return memory.byteSize();
    }

    @Override
    public DeviceHandle handle() {
        return DeviceHandle.pointer(memory.address());
    }

    @Override
    public Optional<MemorySegment> segment() {
        return Optional.of(memory);
    }

    @Override
    public void close() {
        arena.close();
    }
}

package io.fastsafetensors.testkit.kernel;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import java.util.random.RandomGenerator;

/// Host memory of exactly a size, aligned as device memory is, and followed by nothing.
public final class HostMemory implements DeviceBuffer {
    private static final long ALIGNMENT = 256;
    private static final NativeLibrary LIBC = NativeLibrary.standard();
    // int posix_memalign(void **memptr, size_t alignment, size_t size)
    private static final WordFunction POSIX_MEMALIGN = LIBC.words("posix_memalign");
    // void free(void *ptr)
    private static final WordFunction FREE = LIBC.words("free");

    private final Arena arena = Arena.ofConfined();
    private final long address;
    private final MemorySegment memory;

    /// Random bytes. Not from an arena, which would add slack to align them: so that a sanitizer sees every byte that
    /// is read beyond.
    public HostMemory(long byteSize, RandomGenerator random) {
        MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
        if ((int) POSIX_MEMALIGN.call(result.address(), ALIGNMENT, byteSize) != 0) {
            throw new OutOfMemoryError("posix_memalign of " + byteSize + " bytes");
        }
        address = result.get(ValueLayout.JAVA_LONG, 0);
        memory = RawMemory.view(address, byteSize, arena);
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
        FREE.call(address);
    }
}

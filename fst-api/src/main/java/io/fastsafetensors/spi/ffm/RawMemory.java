package io.fastsafetensors.spi.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Segments over memory that native code allocated.
public final class RawMemory {
    private RawMemory() {
    }

    /// A view of host memory that lives as long as `arena`; the caller vouches for the address, and frees the memory
    /// after the arena is closed.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if native access is denied
    @SuppressWarnings("restricted")
    public static MemorySegment view(long address, long byteSize, Arena arena) {
        try {
            return MemorySegment.ofAddress(address).reinterpret(byteSize, arena, null);
        } catch (IllegalCallerException e) {
            throw NativeAccess.denied("a view of native memory", e);
        }
    }

    /// As [#view(long, long, Arena)], of memory that is freed with the arena.
    ///
    /// @param free frees it; called once, when the arena is closed
    @SuppressWarnings("restricted")
    public static MemorySegment view(long address, long byteSize, Arena arena, Runnable free) {
        return MemorySegment.ofAddress(address).reinterpret(byteSize, arena, ignored -> free.run());
    }
}

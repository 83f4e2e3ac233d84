package io.fastsafetensors.testkit.ffm;

import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/// Tells how much memory this process has from `malloc` and not given back. Mappings do not tell: the C library hands out
/// again what was freed before.
public final class NativeHeap {
    private static final int FIELDS = 10;
    private static final int HBLKHD = 4;
    private static final int UORDBLKS = 7;

    // struct mallinfo2 mallinfo2(void)
    private static final Optional<MethodHandle> MALLINFO2 = NativeAccess.isAllowed()
            ? NativeLibrary.standard().find("mallinfo2", FunctionDescriptor.of(MemoryLayout
                    .structLayout(MemoryLayout.sequenceLayout(FIELDS, ValueLayout.JAVA_LONG).withName("fields"))))
            : Optional.empty();

    private NativeHeap() {
    }

    /// The bytes in use, of the C library's heaps and of what it mapped for large pieces.
    ///
    /// @return empty where the C library cannot tell (before glibc 2.33, or another one), or native access is denied
    public static Optional<Long> usedBytes() {
        return MALLINFO2.map(NativeHeap::ask);
    }

    private static long ask(MethodHandle mallinfo2) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = (MemorySegment) mallinfo2.invokeExact((SegmentAllocator) arena);
            return info.getAtIndex(ValueLayout.JAVA_LONG, HBLKHD) + info.getAtIndex(ValueLayout.JAVA_LONG, UORDBLKS);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}

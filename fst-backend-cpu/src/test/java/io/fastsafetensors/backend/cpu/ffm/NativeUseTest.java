package io.fastsafetensors.backend.cpu.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// A close while native code works on the memory: here, qsort's comparison closes what is being sorted.
@Tag("native")
class NativeUseTest {
    private final Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
    private final DeviceBuffer buffer = backend.allocate(16, 64);
    private Throwable refusal;
    private Throwable backendsRefusal;

    @Test
    @SuppressWarnings("restricted") // The point of the test.
    void memory_in_native_use_stays() throws Throwable {
        MemorySegment memory = buffer.segment().orElseThrow().fill((byte) 1);
        Linker linker = Linker.nativeLinker();
        MethodHandle qsort = linker.downcallHandle(linker.defaultLookup().findOrThrow("qsort"),
                FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG,
                        ValueLayout.ADDRESS));
        MethodHandle compare = MethodHandles.lookup()
                .findVirtual(NativeUseTest.class, "compare", MethodType.methodType(int.class, long.class, long.class))
                .bindTo(this);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stub = linker.upcallStub(compare, FunctionDescriptor.of(ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG), arena);
            qsort.invoke(memory, 2L, 8L, stub);
        }
        assertInstanceOf(IllegalStateException.class, refusal);
        assertInstanceOf(IllegalStateException.class, backendsRefusal);
        assertEquals("the buffer of 16 bytes is in use by a native call and stays open; close it again when that has"
                + " returned", refusal.getMessage());
        assertEquals(1, memory.get(ValueLayout.JAVA_BYTE, 15), "memory was unmapped under a native call");
        assertEquals(16, buffer.byteSize());
        buffer.close();
        assertThrows(IllegalStateException.class, buffer::segment);
        backend.close();
    }

    @SuppressWarnings("unused") // Called by qsort.
    private int compare(long a, long b) {
        refusal = attempt(buffer);
        backendsRefusal = attempt(backend);
        return 0;
    }

    /// Nothing may leave an upcall.
    private static Throwable attempt(AutoCloseable closeable) {
        try {
            closeable.close();
            return null;
        } catch (Throwable e) {
            return e;
        }
    }
}

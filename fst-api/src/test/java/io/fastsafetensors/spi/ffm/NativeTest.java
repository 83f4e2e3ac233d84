package io.fastsafetensors.spi.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.UnsupportedFeatureException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.junit.jupiter.api.Test;

class NativeTest {
    private final NativeLibrary libc = NativeLibrary.standard();

    @Test
    void a_library_that_is_not_there_lists_the_names_tried() {
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> NativeLibrary.open("libnobody.so.3", "libnobody.so"));
        assertTrue(e.getMessage().contains("tried libnobody.so.3, libnobody.so"),
                e.getMessage());
        assertTrue(NativeLibrary.describe("libnobody.so.3").contains("libnobody.so.3"));
    }

    @Test
    void functions_are_bound_or_missed_by_name() throws Throwable {
        MethodHandle labs = libc.bind("labs", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
        assertEquals(5L, (long) labs.invokeExact(-5L));
        assertTrue(libc.find("no_such_function", FunctionDescriptor.ofVoid()).isEmpty());
        assertThrows(UnsupportedFeatureException.class,
                () -> libc.bind("no_such_function", FunctionDescriptor.ofVoid()));
        assertThrows(UnsupportedFeatureException.class, () -> libc.symbol("no_such_symbol"));
    }

    @Test
    void errno_is_kept_for_the_thread_that_failed() throws Throwable {
        MethodHandle close = libc.bind("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT), Errno.option());
        assertEquals(-1, (int) close.invokeExact(Errno.capture(), -1));
        Thread other = Thread.ofPlatform().start(() -> assertEquals(0, Errno.last()));
        other.join();
        assertEquals(9, Errno.last());
    }

    @Test
    void a_view_dies_with_its_arena() {
        try (Arena memory = Arena.ofConfined(); Arena views = Arena.ofShared()) {
            MemorySegment block = memory.allocate(16);
            block.set(JAVA_INT, 4, 77);
            MemorySegment view = RawMemory.view(block.address(), 16, views);
            assertEquals(77, view.get(JAVA_INT, 4));
            assertThrows(IndexOutOfBoundsException.class, () -> view.get(JAVA_INT, 16));
        }
    }
}

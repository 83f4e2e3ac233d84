package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Memory as drivers give it: little of it, and not always aligned.
class DriverMemoryTest {
    private final ScriptedDriver driver = new ScriptedDriver();
    private final CudaBackend backend = Scripted.open(driver);

    @AfterEach
    void nothing_is_left() {
        backend.close();
        assertEquals(Map.of(), driver.left());
        assertFalse(driver.isCurrentHere());
    }

    @Test
    void device_memory_is_aligned_where_the_driver_does_not() {
        driver.misalignment = 256;
        for (long alignment = 1; alignment <= 1 << 21; alignment *= 2) {
            try (DeviceBuffer buffer = backend.allocate(1000, alignment)) {
                assertEquals(0, buffer.handle().value() % alignment, "alignment " + alignment);
                assertEquals(1000, buffer.byteSize());
            }
        }
        assertEquals(Map.of("contexts", 1), driver.left());
    }

    @Test
    void memory_that_is_aligned_anyway_is_taken_once() {
        backend.allocate(1000, 4096).close();
        backend.allocateStaging(1000).close();
        assertEquals(Map.of("buffers", 1, "pinned", 1), driver.created);
    }

    @Test
    void staging_memory_starts_at_a_page_where_the_driver_packs_closer() {
        driver.misalignment = 512;
        for (long bytes : new long[] {0, 1, 4096, 5000}) {
            try (StagingBuffer staging = backend.allocateStaging(bytes)) {
                assertEquals(0, staging.segment().address() % 4096);
                assertEquals(bytes, staging.segment().fill((byte) 1).byteSize());
                assertTrue(staging.isPageLocked());
            }
        }
    }

    @Test
    void large_staging_memory_is_populated_pages_that_are_registered() {
        long bytes = (6L << 20) + 5000;
        long before = mappedAnonymously();
        for (int i = 0; i < 100; i++) {
            try (StagingBuffer staging = backend.allocateStaging(bytes)) {
                assertEquals(0, staging.segment().address() % 4096);
                assertEquals(bytes, staging.segment().fill((byte) i).byteSize());
                assertTrue(staging.isPageLocked());
                assertEquals(Map.of("contexts", 1, "registrations", 1), driver.left());
            }
        }
        // Of 800 MiB that were mapped nothing stays.
        assertTrue(mappedAnonymously() - before < 400L << 20);
    }

    @Test
    void staging_memory_that_cannot_be_registered_is_allocated_by_the_driver() {
        driver.fail("cuMemHostRegister", 1, 801);
        try (StagingBuffer staging = backend.allocateStaging(6L << 20)) {
            staging.segment().fill((byte) 1);
            assertEquals(Map.of("contexts", 1, "pinned", 1), driver.left());
        }
    }

    private static long mappedAnonymously() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("VmSize:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10).findFirst().orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void too_much_device_memory_says_how_much_is_free() {
        for (long bytes : new long[] {ScriptedDriver.TOTAL + 1, Long.MAX_VALUE}) {
            OutOfDeviceMemoryException e =
                    assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(bytes, 256));
            assertEquals(bytes, e.requested());
            assertEquals(ScriptedDriver.TOTAL, e.free());
        }
    }

    @Test
    void a_size_that_the_driver_calls_invalid_is_too_much_memory() {
        driver.fail("cuMemAlloc", 1, 1);
        assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(Long.MAX_VALUE, 256));
    }

    @Test
    void out_of_memory_is_said_even_if_the_driver_does_not_say_what_is_free() {
        driver.fail("cuMemGetInfo", 1, 999);
        OutOfDeviceMemoryException e =
                assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(1L << 40, 256));
        assertEquals(-1, e.free());
    }

    @Test
    void staging_memory_that_the_host_refuses_is_out_of_memory() {
        OutOfDeviceMemoryException e =
                assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocateStaging(Long.MAX_VALUE));
        assertEquals(Long.MAX_VALUE, e.requested());
    }

    @Test
    void registration_passes_the_flags_that_are_asked_for() {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(8192, 4096);
            backend.registerHost(memory, false).orElseThrow().close();
            backend.registerHost(memory.asReadOnly(), true).orElseThrow().close();
            assertEquals(List.of("register 1", "register 9"), driver.launches);
            assertThrows(IllegalArgumentException.class, () -> backend.registerHost(memory.asSlice(1), false));
            assertThrows(IllegalArgumentException.class, () -> backend.registerHost(memory.asSlice(0, 0), false));
            assertThrows(IllegalArgumentException.class,
                    () -> backend.registerHost(MemorySegment.ofArray(new byte[4096]), false));
        }
    }

    @Test
    void a_registration_that_is_refused_says_what_to_do() {
        driver.fail("cuMemHostRegister", 1, 712);
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(4096, 4096);
            BackendException e = assertThrows(BackendException.class, () -> backend.registerHost(memory, true));
            assertTrue(e.getMessage().contains("CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED: the memory, or a part of it,"
                    + " is registered already; close that registration first; 4096 bytes, read-only"), e.getMessage());
        }
        assertEquals(Map.of("contexts", 1), driver.left());
    }

    @Test
    void a_device_that_does_not_register_memory_does_not_claim_it() {
        ScriptedDriver older = new ScriptedDriver();
        older.attributes.put(99, 0);
        try (CudaBackend other = Scripted.open(older); Arena arena = Arena.ofShared()) {
            assertTrue(other.registerHost(arena.allocate(4096, 4096), false).isEmpty());
        }
    }
}

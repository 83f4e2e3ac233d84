package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.Device;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Device memory that is kept for the next load.
class KeptMemoryTest {
    private static final long MIB = 1 << 20;

    private final ScriptedDriver driver = new ScriptedDriver();
    private final CudaBackend backend = Scripted.open(driver, 64 * MIB);

    @AfterEach
    void nothing_is_left() {
        backend.close();
        assertEquals(Map.of(), driver.left());
        assertEquals(0, backend.keptBytes());
    }

    private long allocateAndClose(long bytes) {
        try (DeviceBuffer buffer = backend.allocate(bytes, 4096)) {
            return buffer.handle().value();
        }
    }

    @Test
    void the_next_allocation_of_the_size_gets_the_same_memory() {
        long address = allocateAndClose(32 * MIB);
        assertEquals(32 * MIB, backend.keptBytes());
        assertEquals(address, allocateAndClose(32 * MIB));
        assertEquals(address, allocateAndClose(29 * MIB), "a little smaller");
        assertEquals(1, driver.count("cuMemAlloc"));
        assertEquals(0, driver.count("cuMemFree"));
    }

    @Test
    void memory_that_serves_badly_is_left_for_others() {
        long address = allocateAndClose(16 * MIB);
        assertNotEquals(address, allocateAndClose(8 * MIB), "half of it would be wasted");
        assertNotEquals(address, allocateAndClose(17 * MIB), "too small");
        assertEquals(address, allocateAndClose(16 * MIB));
    }

    @Test
    void two_buffers_never_share_memory() {
        allocateAndClose(8 * MIB);
        try (DeviceBuffer one = backend.allocate(8 * MIB, 4096); DeviceBuffer other = backend.allocate(8 * MIB, 4096)) {
            assertNotEquals(one.handle().value(), other.handle().value());
        }
        assertEquals(16 * MIB, backend.keptBytes());
    }

    @Test
    void small_memory_is_not_kept() {
        allocateAndClose(MIB);
        assertEquals(0, backend.keptBytes());
        assertEquals(Map.of("contexts", 1), driver.left());
    }

    @Test
    void the_oldest_goes_where_the_bound_is_reached() {
        allocateAndClose(20 * MIB);
        long second = allocateAndClose(30 * MIB);
        long third = allocateAndClose(25 * MIB);
        assertEquals(55 * MIB, backend.keptBytes());
        assertEquals(second, allocateAndClose(30 * MIB));
        assertEquals(third, allocateAndClose(25 * MIB));
        allocateAndClose(65 * MIB);
        assertEquals(55 * MIB, backend.keptBytes(), "more than the bound is freed at once");
    }

    @Test
    void it_counts_as_free_and_yields_to_who_fails_to_allocate() {
        allocateAndClose(32 * MIB);
        assertEquals(ScriptedDriver.TOTAL + 32 * MIB, backend.memory().free(), "the script says all is free");
        driver.fail("cuMemAlloc", 1, 2);
        try (DeviceBuffer buffer = backend.allocate(60 * MIB, 4096)) {
            assertEquals(60 * MIB, buffer.byteSize());
            assertEquals(0, backend.keptBytes());
        }
    }

    @Test
    void it_yields_to_another_backend_of_the_process() {
        allocateAndClose(32 * MIB);
        try (CudaBackend other = Scripted.open(driver, 0)) {
            driver.fail("cuMemAlloc", 1, 2);
            other.allocate(60 * MIB, 4096).close();
            assertEquals(0, backend.keptBytes());
        }
    }

    @Test
    void too_much_is_too_much_all_the_same() {
        allocateAndClose(32 * MIB);
        assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(ScriptedDriver.TOTAL + 1, 256));
        assertEquals(0, backend.keptBytes());
    }

    @Test
    void trim_frees_it() {
        allocateAndClose(32 * MIB);
        backend.trim();
        assertEquals(0, backend.keptBytes());
        assertEquals(Map.of("contexts", 1), driver.left());
    }

    @Test
    void one_that_cannot_be_freed_does_not_hold_the_others() {
        allocateAndClose(20 * MIB);
        allocateAndClose(30 * MIB);
        driver.fail("cuMemFree", 1, 999);
        assertThrows(BackendException.class, backend::trim);
        assertEquals(2, driver.count("cuMemFree"));
        assertEquals(0, backend.keptBytes());
    }

    @Test
    void it_is_freed_after_a_quiet_while() throws Exception {
        List<Long> freed = Collections.synchronizedList(new ArrayList<>());
        KeptMemory kept = new KeptMemory(64 * MIB, 20, block -> freed.add(block.address()));
        assertTrue(kept.keep(new DeviceMemory.Block(1, 1, 4 * MIB)));
        while (kept.bytes() > 0) {
            Thread.sleep(5);
        }
        assertEquals(List.of(1L), freed);
        assertTrue(kept.keep(new DeviceMemory.Block(2, 2, 4 * MIB)), "and again");
        kept.close();
        assertEquals(List.of(1L, 2L), freed);
    }

    @Test
    void the_device_is_done_with_it_before_it_is_kept() {
        allocateAndClose(32 * MIB);
        assertTrue(driver.calls.contains("cuCtxSynchronize"), driver.calls.toString());
        driver.fail("cuCtxSynchronize", 1, 700);
        driver.fail("cuMemFree", 1, 700);
        DeviceBuffer buffer = backend.allocate(16 * MIB, 4096);
        assertThrows(BackendException.class, buffer::close);
        assertEquals(32 * MIB, backend.keptBytes(), "memory of a broken context is not kept");
    }

    @Test
    void one_switch_turns_it_off_and_wrong_ones_are_refused() {
        try (CudaBackend without = Scripted.open(driver, 0)) {
            without.allocate(32 * MIB, 4096).close();
            assertEquals(0, without.keptBytes());
        }
        CudaBackendProvider provider = new CudaBackendProvider(() -> Scripted.machine(driver));
        for (String wrong : List.of("much", "-1", "")) {
            BackendOptions options = BackendOptions.defaults().withProperties(Map.of("keptDeviceBytes", wrong));
            BackendException refused = assertThrows(BackendException.class,
                    () -> provider.open(new Device("cuda", 0), options), wrong);
            assertTrue(refused.getMessage().contains("keptDeviceBytes: \"" + wrong + "\" is no size"),
                    refused.getMessage());
        }
    }

    @Test
    void the_switch_takes_a_size_with_a_unit() {
        CudaBackendProvider provider = new CudaBackendProvider(() -> Scripted.machine(driver));
        BackendOptions options = BackendOptions.defaults().withProperties(Map.of("keptDeviceBytes", "16MiB"));
        try (CudaBackend bounded = (CudaBackend) provider.open(new Device("cuda", 0), options)) {
            bounded.allocate(32 * MIB, 4096).close();
            assertEquals(0, bounded.keptBytes());
            bounded.allocate(8 * MIB, 4096).close();
            assertEquals(8 * MIB, bounded.keptBytes());
        }
    }
}

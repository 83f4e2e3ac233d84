package io.fastsafetensors.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.ffm.MemoryLibC;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
@Tag("native")
class MappedMemoryTest {
    private static final long MIB = 1 << 20;
    private static final int EINVAL = 22;

    @TempDir
    Path folder;
    private final FakeLibC libc = new FakeLibC();
    private Backend backend;

    @BeforeEach
    void open() throws IOException {
        Files.writeString(folder.resolve("meminfo"),
                "MemTotal:       2048 kB\nMemFree:  1 kB\nMemAvailable:   1024 kB\n");
        SystemMemory memInfo = new SystemMemory(folder);
        backend = new CpuBackend(new MappedMemory(libc, memInfo),
                new DeviceInfo(Device.CPU, DeviceKind.CPU, "a machine", -1, -1, Map.of()), memInfo);
    }

    @AfterEach
    void close() {
        backend.close();
        assertEquals(0, libc.mappedBytes(), "memory that nobody gave back");
    }

    @Test
    void every_size_and_alignment_is_mapped() {
        for (long bytes : new long[] {0, 1, 4095, 4096, 4097, MIB, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 9 * MIB}) {
            for (long alignment = 1; alignment <= 16 * MIB; alignment *= 2) {
                DeviceBuffer buffer = backend.allocate(bytes, alignment);
                MemorySegment memory = buffer.segment().orElseThrow();
                long address = buffer.handle().value();
                assertEquals(bytes, buffer.byteSize());
                assertEquals(bytes, memory.byteSize());
                assertEquals(memory.address(), address);
                assertNotEquals(0, address);
                assertEquals(0, address % Math.max(alignment, bytes >= 2 * MIB ? 2 * MIB : 1));
                memory.fill((byte) 1);
                long page = libc.getpagesize();
                assertEquals(Math.max((bytes + page - 1) / page * page, page), libc.mappedBytes(), "waste");
                buffer.close();
                assertEquals(0, libc.mappedBytes());
            }
        }
    }

    @Test
    void huge_pages_are_for_large_buffers_only() {
        backend.allocate(2 * MIB - 1, 64).close();
        assertTrue(libc.advised.isEmpty());
        DeviceBuffer large = backend.allocate(2 * MIB, 64);
        assertEquals(large.handle().value(), libc.advised.getFirst());
        backend.allocateStaging(4 * MIB);
        assertEquals(2, libc.advised.size());
    }

    @Test
    void no_huge_pages_is_no_error() {
        libc.madviseErrno = EINVAL;
        DeviceBuffer buffer = backend.allocate(4 * MIB, 64);
        buffer.segment().orElseThrow().set(ValueLayout.JAVA_BYTE, 4 * MIB - 1, (byte) 1);
    }

    @Test
    void lack_of_memory_names_the_figures() {
        for (int errno : new int[] {MemoryLibC.ENOMEM, MemoryLibC.EAGAIN}) {
            libc.mmapErrno = errno;
            OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class,
                    () -> backend.allocate(5 * MIB, 64));
            assertEquals(5 * MIB, e.requested());
            assertEquals(MIB, e.free());
            assertEquals("cpu", e.where().backend());
            assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocateStaging(4096));
        }
    }

    @Test
    void impossible_sizes_are_a_lack_of_memory() {
        for (long bytes : new long[] {Long.MAX_VALUE, Long.MAX_VALUE - 4096, 1L << 62, 1L << 50}) {
            OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class,
                    () -> backend.allocate(bytes, 64));
            assertEquals(bytes, e.requested());
        }
        assertThrows(OutOfDeviceMemoryException.class, () -> backend.allocate(8, 1L << 62));
    }

    @Test
    void other_errors_name_the_call() {
        libc.mmapErrno = EINVAL;
        BackendException e = assertThrows(BackendException.class, () -> backend.allocate(1, 64));
        assertTrue(e.getMessage().contains("mmap failed with 22"), e.getMessage());
        assertEquals(BackendException.class, e.getClass());
    }

    @Test
    void a_refused_trim_keeps_the_surplus() {
        libc.munmapErrno = MemoryLibC.ENOMEM;
        DeviceBuffer buffer = backend.allocate(3 * MIB, 8 * MIB);
        assertEquals(0, buffer.handle().value() % (8 * MIB));
        buffer.segment().orElseThrow().fill((byte) 1);
        libc.munmapErrno = 0;
        buffer.close();
        assertEquals(0, libc.mappedBytes());
    }

    @Test
    void a_refused_unmap_is_said_once() {
        DeviceBuffer buffer = backend.allocate(1, 1);
        libc.munmapErrno = EINVAL;
        BackendException e = assertThrows(BackendException.class, buffer::close);
        assertTrue(e.getMessage().contains("munmap failed with 22"), e.getMessage());
        buffer.close();
        assertThrows(IllegalStateException.class, buffer::segment);
        assertInstanceOf(BackendException.class, assertThrows(RuntimeException.class, () -> {
            backend.allocate(1, 1);
            backend.allocate(1, 1);
            backend.close();
        }));
        libc.forget();
    }

    @Test
    void figures_come_from_the_kernel() {
        assertEquals(MIB, backend.memory().free());
        assertEquals(2 * MIB, backend.memory().total());
        SystemMemory none = new SystemMemory(folder.resolve("absent"));
        assertEquals(-1, none.read().free());
        assertEquals(-1, none.read().total());
    }

    @Test
    void odd_figures_are_unknown() throws IOException {
        Files.writeString(folder.resolve("meminfo"), "MemTotal: much kB\nMemAvailable: 12\n");
        assertEquals(-1, new SystemMemory(folder).read().total());
        assertEquals(-1, new SystemMemory(folder).read().free());
    }
}

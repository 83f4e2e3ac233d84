package io.fastsafetensors.core.read;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.storage.ScriptedLibC;
import io.fastsafetensors.core.storage.TestSources;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BlockReaderTest {
    private static final Location FILE = Location.of("model.safetensors");
    private static final int LENGTH = 1_000_123;

    private final Arena arena = Arena.ofConfined();
    private final ScriptedLibC c = new ScriptedLibC(randomBytes(7));
    private final ReadCounters counters = new ReadCounters();

    private static byte[] randomBytes(long seed) {
        byte[] bytes = new byte[LENGTH];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private StorageFile open() {
        return TestSources.over(c, FILE);
    }

    private BlockReader reader(StorageFile file, DirectIo mode) {
        return new BlockReader(file, mode, counters);
    }

    private void readAndCompare(BlockReader reader, long from, long to) {
        MemorySegment target = arena.allocate(Pages.ceil(to) - Pages.floor(from), Pages.SIZE);
        reader.read(from, to, target, 0);
        byte[] got = target.asSlice(from - Pages.floor(from), to - from).toArray(ValueLayout.JAVA_BYTE);
        assertTrue(Arrays.equals(Arrays.copyOfRange(c.content, (int) from, (int) to), got), from + " to " + to);
    }

    @AfterEach
    void free() {
        arena.close();
    }

    @Test
    void cold_blocks_are_read_past_the_page_cache() {
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            readAndCompare(reader, 5000, 900_000);
            assertTrue(c.calls.stream().allMatch(call -> call.startsWith("direct")), c.calls.toString());
            assertEquals(0, counters.cachedBytes());
        }
        assertEquals(0, c.openDescriptors);
    }

    @Test
    void cached_blocks_are_copied_from_the_page_cache() {
        c.cachedPages.set(0, 300);
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            readAndCompare(reader, 5000, LENGTH);
        }
        assertEquals(List.of("buffered 5000+" + (LENGTH - 5000)), c.calls);
        assertEquals(LENGTH - 5000, counters.cachedBytes());
    }

    @Test
    void a_block_that_is_partly_cached_takes_each_part_its_way() {
        c.cachedPages.set(0, 128);
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            readAndCompare(reader, 0, LENGTH);
        }
        assertEquals(2, c.calls.size(), c.calls.toString());
        assertTrue(c.calls.get(0).startsWith("buffered 0+524288"), c.calls.toString());
        assertTrue(c.calls.get(1).startsWith("direct 524288+"), c.calls.toString());
    }

    @Test
    void before_cachestat_a_read_that_does_not_wait_finds_the_cached_prefix() {
        c.cachestat = false;
        c.cachedPages.set(0, 10);
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            readAndCompare(reader, 100, LENGTH);
        }
        assertEquals(40960 - 100, counters.cachedBytes());
        assertTrue(c.calls.getLast().startsWith("direct 40960+"), c.calls.toString());
    }

    @Test
    void any_mix_of_short_reads_interruptions_and_cached_pages_gives_the_same_bytes() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        RandomGenerator random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            c.calls.clear();
            c.script.clear();
            c.cachedPages.clear();
            c.cachestat = random.nextBoolean();
            int run = random.nextInt(1, 100);
            for (int page = 0; page < 250; page += run) {
                c.cachedPages.set(page, page + run, random.nextBoolean());
            }
            for (int i = random.nextInt(8); i > 0; i--) {
                c.script.add(switch (random.nextInt(4)) {
                    case 0 -> -ScriptedLibC.EINTR;
                    case 1 -> -ScriptedLibC.EAGAIN;
                    case 2 -> random.nextInt(1, 9000);
                    default -> 4096 * random.nextInt(1, 5);
                });
            }
            long from = random.nextLong(LENGTH - 1);
            long to = random.nextLong(from + 1, LENGTH + 1);
            try (StorageFile file = open()) {
                BlockReader reader = reader(file, DirectIo.values()[random.nextInt(3)]);
                readAndCompare(reader, from, to);
            } catch (AssertionError | StorageException e) {
                throw new AssertionError("seed " + seed + " round " + round + " " + c.calls, e);
            }
        }
    }

    @Test
    void an_io_error_names_file_and_offset() {
        for (int errno : new int[] {ScriptedLibC.EIO, ScriptedLibC.ENOMEM}) {
            c.script.add(4096);
            c.script.add(-errno);
            try (StorageFile file = open()) {
                BlockReader reader = reader(file, DirectIo.ALWAYS);
                StorageException e = assertThrows(StorageException.class, () -> readAndCompare(reader, 0, LENGTH));
                assertEquals(FILE.toString(), e.where().file());
                assertEquals(4096L, e.where().offset());
                assertTrue(e.getMessage().contains(errno == 5 ? "EIO" : "ENOMEM"), e.getMessage());
            }
        }
        assertEquals(0, c.openDescriptors);
    }

    @Test
    void an_endless_interruption_is_an_error_in_the_end() {
        for (int i = 0; i < 2000; i++) {
            c.script.add(-ScriptedLibC.EINTR);
        }
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.NEVER);
            assertThrows(StorageException.class, () -> readAndCompare(reader, 0, LENGTH));
        }
    }

    @Test
    void a_storage_that_refuses_direct_reads_is_read_buffered_and_says_so() {
        c.script.add(-ScriptedLibC.EINVAL);
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            readAndCompare(reader, 0, LENGTH);
            assertTrue(reader.reason().contains("EINVAL"), reader.reason());
            c.calls.clear();
            readAndCompare(reader, 0, 9000);
            assertEquals(List.of("buffered 0+9000"), c.calls);
        }
    }

    @Test
    void what_cannot_be_opened_directly_is_read_buffered_and_says_why() {
        c.openDirectErrno = ScriptedLibC.EINVAL;
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            readAndCompare(reader, 0, LENGTH);
            assertTrue(reader.reason().startsWith("buffered: open with O_DIRECT failed: EINVAL"), reader.reason());
        }
        c.fileSystem = 0x01021994;
        try (StorageFile file = open()) {
            BlockReader reader = reader(file, DirectIo.AUTO);
            assertEquals("buffered: tmpfs is memory already", reader.reason());
        }
        assertEquals(0, c.openDescriptors);
    }

    @Test
    void a_file_that_shrinks_is_an_error() {
        for (DirectIo mode : DirectIo.values()) {
            byte[] whole = c.content;
            try (StorageFile file = open()) {
                BlockReader reader = reader(file, mode);
                c.content = Arrays.copyOf(whole, 500_000);
                StorageException e = assertThrows(StorageException.class, () -> reader.read(4096, LENGTH,
                        arena.allocate(Pages.ceil(LENGTH), Pages.SIZE), 0));
                assertTrue(e.getMessage().contains("shrank"), e.getMessage());
                assertEquals(500_000L, e.where().offset(), mode.toString());
            } finally {
                c.content = whole;
            }
        }
    }

    @Test
    void a_file_that_cannot_be_opened_says_why() {
        c.openErrno = 13;
        StorageException e = assertThrows(StorageException.class, this::open);
        assertTrue(e.getMessage().contains("EACCES"), e.getMessage());
        assertFalse(e.getMessage().contains("errno"), e.getMessage());
    }
}

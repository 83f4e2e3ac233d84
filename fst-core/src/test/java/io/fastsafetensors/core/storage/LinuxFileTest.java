package io.fastsafetensors.core.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class LinuxFileTest {
    private static final Location FILE = Location.of("/m/model.safetensors");
    private static final int LENGTH = 1 << 20;

    private final ScriptedLibC c = new ScriptedLibC(new byte[LENGTH]);
    private final MemorySegment buffer = Arena.ofAuto().allocate(8192, 4096);

    private StorageFile open() {
        return LocalStorage.over(c).open(FILE);
    }

    private static DirectReads direct(StorageFile file) {
        return file.ability(DirectReads.class).orElseThrow();
    }

    @Test
    void a_path_is_opened_once_and_the_direct_descriptor_is_of_the_open_file() {
        try (StorageFile file = open()) {
            file.read(0, buffer, 0, 100);
            assertEquals(1, c.opened.size(), c.opened.toString());
            assertEquals(4096, direct(file).readDirect(0, buffer, 0, 4096));
            assertEquals("/proc/self/fd/3", c.opened.getLast());
            assertEquals(2, c.opened.size(), c.opened.toString());
        }
        assertEquals(0, c.openDescriptors);
    }

    @Test
    void without_proc_the_path_is_opened_again_and_compared() {
        c.proc = false;
        try (StorageFile file = open()) {
            assertEquals(4096, direct(file).readDirect(0, buffer, 0, 4096));
            assertEquals(FILE.address(), c.opened.getLast());
        }
        try (StorageFile file = open()) {
            c.replaced = true;
            assertEquals(DirectReads.REFUSED, direct(file).readDirect(0, buffer, 0, 4096));
            assertFalse(direct(file).isDirect());
            assertTrue(file.reason().contains("another file"), file.reason());
        }
        assertEquals(0, c.openDescriptors);
    }

    @Test
    void cached_bytes_are_counted_in_pages_of_any_size() {
        for (int pageSize : new int[] {4096, 16384, 65536}) {
            c.pageSize = pageSize;
            c.cachedPages.clear();
            c.cachedPages.set(0, 4 * pageSize / 4096);
            try (StorageFile file = open()) {
                CacheResidency cache = file.ability(CacheResidency.class).orElseThrow();
                String message = "pages of " + pageSize;
                assertEquals(4L * pageSize, cache.cachedBytes(0, 4L * pageSize), message);
                assertEquals(4L * pageSize - 300, cache.cachedBytes(100, 4L * pageSize - 300), message);
                assertEquals(4L * pageSize, cache.cachedBytes(0, 8L * pageSize), message);
                assertEquals(0, cache.cachedBytes(4L * pageSize, 4L * pageSize), message);
                long edges = cache.cachedBytes(4L * pageSize - 10, 20);
                assertTrue(edges > 0 && edges < 20, message + ": " + edges);
            }
        }
    }

    @Test
    void an_open_file_tells_that_it_was_written() {
        try (StorageFile file = open()) {
            FileIdentity before = file.identity();
            assertSame(before, file.currentIdentity());
            assertTrue(file.isCurrent());
            c.changed = 1;
            assertEquals("was rewritten", before.changeTo(file.currentIdentity()));
            assertFalse(file.isCurrent());
            c.content = new byte[LENGTH + 1];
            assertEquals("grew from " + LENGTH + " to " + (LENGTH + 1) + " bytes",
                    before.changeTo(file.currentIdentity()));
            c.content = Arrays.copyOf(c.content, 5);
            assertEquals("shrank from " + LENGTH + " to 5 bytes", before.changeTo(file.currentIdentity()));
        }
    }

    @Test
    void a_path_that_names_another_file_is_not_current() {
        try (StorageFile file = open()) {
            c.replaced = true;
            assertSame(file.identity(), file.currentIdentity());
            assertFalse(file.isCurrent());
        }
    }

    @Test
    void a_closed_file_is_used_no_more() {
        StorageFile file = open();
        file.close();
        file.close();
        assertEquals(0, c.openDescriptors);
        assertThrows(IllegalStateException.class, () -> file.read(0, buffer, 0, 1));
        assertThrows(IllegalStateException.class, file::currentIdentity);
        assertThrows(IllegalStateException.class, () -> direct(file).readDirect(0, buffer, 0, 4096));
        assertEquals(LENGTH, file.length());
    }
}

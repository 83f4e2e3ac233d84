package io.fastsafetensors.core.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SourceFilesTest {
    /// Counts openings; a file's identity is a number that tests change.
    private static final class Counted implements Storage {
        final Map<Location, Integer> versions = new ConcurrentHashMap<>();
        final Map<Location, Integer> openings = new ConcurrentHashMap<>();
        final AtomicInteger open = new AtomicInteger();
        final AtomicInteger mostOpen = new AtomicInteger();
        Runnable whileClosing = () -> {
        };
        boolean closed;

        @Override
        public Kind kind(Location location) {
            return Kind.FILE;
        }

        @Override
        public StorageFile open(Location file) {
            openings.merge(file, 1, Integer::sum);
            mostOpen.accumulateAndGet(open.incrementAndGet(), Math::max);
            return new OneFile(file, versions.getOrDefault(file, 0));
        }

        @Override
        public void close() {
            closed = true;
        }

        private final class OneFile implements StorageFile {
            private final Location location;
            private final int version;
            private boolean shut;

            OneFile(Location location, int version) {
                this.location = location;
                this.version = version;
            }

            @Override
            public Location location() {
                return location;
            }

            @Override
            public long length() {
                return 1;
            }

            @Override
            public FileIdentity identity() {
                return FileIdentity.of("file", 1, "version " + version);
            }

            @Override
            public boolean isCurrent() {
                return versions.getOrDefault(location, 0) == version;
            }

            @Override
            public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
                throw new UnsupportedOperationException();
            }

            @Override
            public String storageName() {
                return "counted";
            }

            @Override
            public void close() {
                assertFalse(shut, "closed twice");
                shut = true;
                whileClosing.run();
                open.decrementAndGet();
            }
        }
    }

    private final Counted storage = new Counted();
    private final Storages storages = Storages.over(storage);

    private static Location file(int number) {
        return Location.of("/m/" + number);
    }

    @Test
    void a_file_is_opened_once_however_often_it_is_used() {
        try (SourceFiles sources = new SourceFiles(storages, 10)) {
            StorageFile first = sources.file(file(0)).retain();
            assertSame(first, sources.file(file(0)).retain());
            sources.file(file(0)).release();
            sources.file(file(0)).release();
            assertSame(first, sources.file(file(0)).retain());
            sources.file(file(0)).release();
            assertEquals(1, storage.open.get());
        }
        assertEquals(Map.of(file(0), 1), storage.openings);
        assertEquals(0, storage.open.get());
    }

    @Test
    void what_nobody_keeps_is_closed_at_once() {
        try (SourceFiles sources = SourceFiles.closedAtOnce(storages)) {
            sources.file(file(0)).retain();
            assertEquals(1, storage.open.get());
            sources.file(file(0)).release();
            assertEquals(0, storage.open.get());
        }
    }

    @Test
    void the_bound_holds_and_files_in_use_stay_open() {
        try (SourceFiles sources = new SourceFiles(storages, 4)) {
            StorageFile used = sources.file(file(0)).retain();
            for (int round = 0; round < 2; round++) {
                for (int i = 1; i < 300; i++) {
                    sources.file(file(i)).retain();
                    sources.file(file(i)).release();
                }
            }
            assertEquals(4, storage.mostOpen.get());
            assertSame(used, sources.file(file(0)).retain());
            assertEquals(1, storage.openings.get(file(0)));
        }
        assertEquals(0, storage.open.get());
    }

    @Test
    void a_file_that_changed_while_it_was_closed_is_an_error() {
        try (SourceFiles sources = new SourceFiles(storages, 1)) {
            sources.file(file(0)).retain();
            sources.file(file(0)).release();
            sources.file(file(1)).retain();
            sources.file(file(1)).release();
            storage.versions.put(file(0), 1);
            StorageException e = assertThrows(StorageException.class, () -> sources.file(file(0)).retain());
            assertTrue(e.getMessage().contains("was rewritten") && e.getMessage().contains("/m/0"), e.getMessage());
            storage.versions.put(file(0), 0);
            assertEquals(FileIdentity.of("file", 1, "version 0"), sources.file(file(0)).retain().identity());
        }
        assertEquals(0, storage.open.get());
    }

    @Test
    void at_the_end_a_location_names_what_was_read() {
        try (SourceFiles sources = new SourceFiles(storages, 1)) {
            sources.file(file(0)).retain();
            sources.file(file(0)).requireCurrent();
            storage.versions.put(file(0), 1);
            assertThrows(StorageException.class, () -> sources.file(file(0)).requireCurrent());
            sources.file(file(0)).release();
            // What was replaced before it was closed to make room is remembered.
            sources.file(file(1)).retain();
            storage.versions.put(file(0), 0);
            assertThrows(StorageException.class, () -> sources.file(file(0)).requireCurrent());
        }
    }

    @Test
    void no_file_is_locked_while_another_is_closed_to_make_room() {
        try (SourceFiles sources = new SourceFiles(storages, 1)) {
            sources.file(file(0)).retain();
            sources.file(file(0)).release();
            List<Boolean> free = new ArrayList<>();
            storage.whileClosing = () -> {
                Thread other = Thread.ofPlatform().start(() -> sources.file(file(1)).requireCurrent());
                try {
                    free.add(other.join(Duration.ofSeconds(20)));
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            };
            sources.file(file(1)).retain();
            storage.whileClosing = () -> {
            };
            sources.file(file(1)).release();
            assertEquals(List.of(true), free);
        }
    }

    @Test
    void many_threads_share_few_openings() throws InterruptedException {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        try (SourceFiles sources = new SourceFiles(storages, 8)) {
            List<Thread> threads = new ArrayList<>();
            List<Throwable> failures = new ArrayList<>();
            for (int t = 0; t < 8; t++) {
                Random random = new Random(seed + t);
                threads.add(Thread.ofPlatform().start(() -> {
                    try {
                        for (int i = 0; i < 5000; i++) {
                            SourceFile file = sources.file(file(random.nextInt(30)));
                            StorageFile open = file.retain();
                            assertEquals(file.location(), open.location());
                            file.release();
                        }
                    } catch (RuntimeException | Error e) {
                        synchronized (failures) {
                            failures.add(e);
                        }
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertEquals(List.of(), failures, "seed " + seed);
            assertTrue(storage.mostOpen.get() <= 16, "open at once: " + storage.mostOpen.get());
        }
        assertEquals(0, storage.open.get());
    }

    @Test
    void the_last_holder_closes_the_storages() {
        SourceFiles sources = SourceFiles.forLoad(storages);
        storages.close();
        assertFalse(storage.closed);
        sources.retain().file(file(0)).retain();
        sources.close();
        assertFalse(storage.closed);
        sources.close();
        assertTrue(storage.closed);
        assertEquals(0, storage.open.get());
    }

    @Test
    void an_unknown_scheme_names_those_that_are_there() {
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> storages.of(Location.of("s3://user:secret@bucket/m?token=x")));
        assertTrue(e.getMessage().startsWith("no storage for scheme s3; present: file"), e.getMessage());
        assertFalse(e.getMessage().contains("secret") || e.getMessage().contains("token"), e.getMessage());
    }
}

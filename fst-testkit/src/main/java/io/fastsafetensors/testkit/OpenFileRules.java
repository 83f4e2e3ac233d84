package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Closing, many files, many threads, and what is left.
abstract class OpenFileRules extends StorageRuleGroup {
    private static final int LENGTH = 100_000;
    private static final int THREADS = 8;

    @SuppressWarnings("NullAway.Init")
    OpenFileRules(StorageConformance suite) {
        super(suite);
    }

    /// An open file says where it was opened.
    ///
    /// If it fails: give the location as it came, not as the service writes it.
    @Test
    @DisplayName("H-01 a file knows its location")
    void h_01_a_file_knows_its_location() throws Exception {
        Location location = write("weights.bin", bytes(10));
        try (StorageFile file = storage.open(location)) {
            assertEquals(location, file.location());
        }
    }

    /// Files and storages may be closed more than once.
    ///
    /// If it fails: test and set a flag first; the descriptor's number may be another file's by now.
    @Test
    @DisplayName("H-02 closing twice is harmless")
    void h_02_closing_twice_is_harmless() throws Exception {
        Location location = write("weights.bin", bytes(10));
        Storage other = provider.open(suite.options());
        StorageFile file = other.open(location);
        file.close();
        file.close();
        other.close();
        other.close();
    }

    /// After a file was closed, a read is an [IllegalStateException]; location, length and identity still answer.
    ///
    /// If it fails: check a flag before the descriptor is used; keep the three in fields.
    @Test
    @DisplayName("H-03 a closed file does not read")
    void h_03_a_closed_file_does_not_read() throws Exception {
        StorageFile file = open("weights.bin", bytes(LENGTH));
        FileIdentity identity = file.identity();
        readAll(file);
        file.close();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment target = arena.allocate(100);
            for (long offset : new long[] {0, 500, LENGTH}) {
                assertThrows(IllegalStateException.class, () -> file.read(offset, target, 0, 100),
                        () -> "a read at " + offset + " of a closed file");
            }
        }
        assertEquals(fixture.location("weights.bin"), file.location(), "location");
        assertEquals(LENGTH, file.length(), "length");
        assertEquals(identity, file.identity(), "identity");
    }

    /// Closing a file leaves others open, of the same location and of other ones.
    ///
    /// If it fails: files do not share a descriptor, a channel or a connection that one of them may close.
    @Test
    @DisplayName("H-04 closing one file leaves the others open")
    void h_04_closing_one_file_leaves_the_others_open() throws Exception {
        byte[] one = bytes(LENGTH);
        byte[] two = bytes(LENGTH / 2);
        try (StorageFile same = open("one", one); StorageFile another = open("two", two)) {
            StorageFile closed = storage.open(same.location());
            read(closed, 0, 1000);
            closed.close();
            closed.close();
            assertBytes(one, readAll(same), "the same file, opened twice and closed once");
            assertBytes(two, readAll(another), "another file");
        }
    }

    /// Many threads read one file at once, each at its own offsets.
    ///
    /// If it fails: a file has no position, and no buffer that two reads share.
    @Test
    @DisplayName("H-05 many threads read one file at once")
    void h_05_many_threads_read_one_file_at_once() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("weights.bin", content)) {
            Threads.together(THREADS, thread -> {
                RandomGenerator random = Seed.random("H-05." + thread);
                for (int i = 0; i < (isQuick() ? 12 : 200); i++) {
                    int size = 1 + random.nextInt(20_000);
                    int from = random.nextInt(LENGTH - size);
                    assertBytes(range(content, from, size), read(file, from, size),
                            size + " bytes from " + from + ", thread " + thread);
                }
            });
        }
    }

    /// Many threads open, read and close files of one storage at once.
    ///
    /// If it fails: a storage is thread-safe; check its tables and pools.
    @Test
    @DisplayName("H-06 many threads open files at once")
    void h_06_many_threads_open_files_at_once() throws Exception {
        List<Location> locations = new ArrayList<>();
        List<byte[]> contents = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            contents.add(Workbench.bytes(Seed.random("H-06." + i), 1000 + i));
            locations.add(write("f" + i, contents.get(i)));
        }
        Threads.together(THREADS, thread -> {
            for (int i = 0; i < (isQuick() ? 10 : 100); i++) {
                int which = (thread + i) % THREADS;
                assertEquals(Storage.Kind.FILE, storage.kind(locations.get(which)), "kind");
                assertBytes(contents.get(which), readAll(locations.get(which)), "file " + which);
            }
        });
    }

    /// Threads that close one file at the same time close it once: files opened meanwhile stay open.
    ///
    /// If it fails: test and set the flag in one atomic step.
    @Test
    @DisplayName("H-07 threads that close one file at once close it once")
    void h_07_threads_that_close_one_file_at_once_close_it_once() throws Exception {
        byte[] content = bytes(1000);
        Location location = write("weights.bin", content);
        List<StorageFile> files = new ArrayList<>();
        try {
            for (int round = 0; round < (isQuick() ? 5 : 50); round++) {
                StorageFile file = storage.open(location);
                List<StorageFile> opened = new ArrayList<>();
                Threads.together(4, _ -> {
                    file.close();
                    StorageFile next = storage.open(location);
                    synchronized (opened) {
                        opened.add(next);
                    }
                });
                files.addAll(opened);
            }
            for (StorageFile file : files) {
                assertBytes(content, readAll(file), "a file opened while another one was closed by 4 threads");
            }
        } finally {
            files.forEach(StorageFile::close);
        }
    }

    /// A thread that is interrupted while it reads gets its bytes or a StorageException, and stays interrupted; for the
    /// other threads the file stays open.
    ///
    /// If it fails: an interrupt closes a `FileChannel` for everybody, and a `SocketChannel`; use something else, or open
    /// it again.
    @Test
    @DisplayName("H-08 an interrupt closes nothing")
    void h_08_an_interrupt_closes_nothing() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("weights.bin", content)) {
            Threads.together(1, _ -> {
                Thread.currentThread().interrupt();
                try {
                    assertBytes(range(content, 0, 5000), read(file, 0, 5000), "a read by an interrupted thread");
                } catch (StorageException e) {
                    assertNames(file.location(), e);
                }
                assertTrue(Thread.currentThread().isInterrupted(), "the interrupt was swallowed");
            });
            assertBytes(content, readAll(file), "the file after a reading thread was interrupted");
        }
    }

    /// After everything was closed no descriptor, mapping or thread is there that was not before; the storage's first use
    /// in the process does not count.
    ///
    /// If it fails: the list says what is left; `close()` closes it, not the garbage collector.
    @Test
    @DisplayName("H-09 nothing is left")
    void h_09_nothing_is_left() throws Exception {
        Location location = write("weights.bin", bytes(LENGTH));
        use(location);
        OpenResources before = OpenResources.now(fixture::owns);
        for (int i = 0; i < 5; i++) {
            use(location);
        }
        assertEquals(List.of(), before.moreNow(), "left after 5 storages were opened, used and closed");
    }

    private void use(Location location) throws Exception {
        try (Storage other = provider.open(suite.options())) {
            other.kind(location);
            for (int i = 0; i < 3; i++) {
                try (StorageFile file = other.open(location)) {
                    Threads.together(2, _ -> readAll(file));
                    for (Class<?> ability : AbilityRules.TYPES) {
                        file.ability(ability);
                    }
                    file.isCurrent();
                }
            }
        }
    }

    /// A closed file leaves its descriptor at once, not when its storage is closed.
    ///
    /// If it fails: a loader keeps its storage for its own life, and opens thousands of files.
    @Test
    @DisplayName("H-10 a closed file leaves nothing in its storage")
    void h_10_a_closed_file_leaves_nothing_in_its_storage() throws Exception {
        Location location = write("weights.bin", bytes(1000));
        int files = 64;
        readAll(location);
        OpenResources before = OpenResources.now(fixture::owns);
        for (int i = 0; i < files; i++) {
            readAll(location);
        }
        // A pool of connections may hold some.
        List<String> more = before.moreNow(files / 2);
        if (!more.isEmpty()) {
            fail("left after " + files + " files were closed, their storage still open: " + more);
        }
    }

    /// Opening what is not there leaves nothing behind.
    ///
    /// If it fails: close what was opened before the failure was found.
    @Test
    @DisplayName("H-11 a failed opening leaves nothing")
    void h_11_a_failed_opening_leaves_nothing() throws Exception {
        Location absent = fixture.location("missing-weights");
        List<Location> wrong = new ArrayList<>(List.of(absent));
        if (fixture.lists()) {
            fixture.makeDirectory(fixture.location("d"));
            wrong.add(fixture.location("d"));
        }
        OpenResources before = OpenResources.now(fixture::owns);
        try (Storage other = provider.open(suite.options())) {
            for (Location location : wrong) {
                for (int i = 0; i < 5; i++) {
                    assertStorageFails(() -> other.open(location).close(), "opening " + location);
                }
            }
        }
        assertEquals(List.of(), before.moreNow(), "left after files could not be opened");
    }
}

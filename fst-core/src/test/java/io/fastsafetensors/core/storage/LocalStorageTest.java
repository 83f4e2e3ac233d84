package io.fastsafetensors.core.storage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LocalStorageTest {
    @TempDir
    Path directory;

    /// By Linux's calls, and by the JDK alone.
    static Stream<LocalStorage> ways() {
        return Stream.of(LocalStorage.platform(), LocalStorage.plain("a test says so"));
    }

    private static String text(StorageFile file) {
        MemorySegment buffer = Arena.ofAuto().allocate(100);
        int length = (int) file.read(0, buffer, 0, 100);
        return new String(buffer.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    private Path write(String name, String text) throws IOException {
        return Files.writeString(directory.resolve(name), text);
    }

    /// Headers are read in one way and data in the other.
    @Test
    void both_ways_give_a_file_one_identity() throws IOException {
        Location file = Location.of(write("m", "any"));
        assertEquals(1, ways().map(storage -> {
            try (StorageFile open = storage.open(file)) {
                return open.identity();
            }
        }).distinct().count());
    }

    @ParameterizedTest
    @MethodSource("ways")
    void a_file_is_what_it_was_opened_as(LocalStorage storage) throws IOException {
        Path path = write("m", "old");
        try (StorageFile file = storage.open(Location.of(path))) {
            assertEquals(3, file.length());
            assertEquals("old", text(file));
            assertEquals(0, file.read(3, Arena.ofAuto().allocate(8), 0, 8));
            assertTrue(file.isCurrent());
            Files.move(write("n", "new"), path, StandardCopyOption.REPLACE_EXISTING);
            assertEquals("old", text(file));
            assertFalse(file.isCurrent());
            Files.delete(path);
            assertTrue(file.isCurrent(), "what was deleted was read all the same");
            assertEquals("old", text(file));
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void what_happened_to_a_file_is_told(LocalStorage storage) throws IOException {
        Path path = write("m", "old");
        try (StorageFile file = storage.open(Location.of(path))) {
            Files.writeString(path, "er", StandardOpenOption.APPEND);
            FileIdentity now = file.currentIdentity();
            assertEquals("grew from 3 to 5 bytes", file.identity().changeTo(now));
            assertEquals(now, file.currentIdentity());
            assertNotEquals(file.identity(), now);
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void a_mapping_is_of_the_open_file(LocalStorage storage) throws IOException {
        Path path = write("m", "old");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mapped;
            try (StorageFile file = storage.open(Location.of(path))) {
                Files.move(write("n", "new"), path, StandardCopyOption.REPLACE_EXISTING);
                mapped = file.ability(Mapping.class).orElseThrow().map(0, 3, arena);
            }
            assertTrue(mapped.isReadOnly());
            assertEquals("old",
                    new String(mapped.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void an_interrupt_of_one_reader_closes_the_file_for_nobody(LocalStorage storage) throws IOException {
        try (StorageFile file = storage.open(Location.of(write("m", "old"))); Arena arena = Arena.ofConfined()) {
            Thread.currentThread().interrupt();
            assertEquals("old", text(file));
            file.ability(Mapping.class).orElseThrow().map(0, 3, arena);
            assertTrue(Thread.interrupted(), "the interrupt is the reader's to see");
            assertEquals("old", text(file));
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void readers_that_are_interrupted_all_the_time_read_the_bytes(LocalStorage storage)
            throws IOException, InterruptedException {
        Path path = Files.write(directory.resolve("m"), new byte[1 << 20]);
        AtomicInteger done = new AtomicInteger();
        Queue<Throwable> failed = new ConcurrentLinkedQueue<>();
        try (StorageFile file = storage.open(Location.of(path)); Arena arena = Arena.ofShared()) {
            List<Thread> readers = Stream.generate(() -> Thread.ofPlatform().unstarted(() -> {
                try {
                    MemorySegment target = arena.allocate(1 << 20);
                    for (int i = 0; i < 200; i++) {
                        assertEquals(1 << 20, file.read(0, target, 0, 1 << 20));
                    }
                    done.incrementAndGet();
                } catch (RuntimeException | Error e) {
                    failed.add(e);
                }
            })).limit(4).toList();
            readers.forEach(Thread::start);
            while (readers.stream().anyMatch(Thread::isAlive)) {
                readers.forEach(Thread::interrupt);
                Thread.sleep(1);
            }
        }
        assertEquals(List.of(), List.copyOf(failed));
        assertEquals(4, done.get());
    }

    @Test
    void an_interrupted_reader_leaves_a_zip_usable() throws IOException {
        Path zip = directory.resolve("m.zip");
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
            Files.writeString(files.getPath("/m"), "zip");
        }
        try (FileSystem files = FileSystems.newFileSystem(zip)) {
            Location location = Location.of(files.getPath("/m"));
            Storage storage = LocalStorage.platform();
            Thread.currentThread().interrupt();
            assertEquals(Storage.Kind.FILE, storage.kind(location));
            assertEquals(1, storage.list(Location.of(files.getPath("/"))).size());
            try (StorageFile file = storage.open(location)) {
                assertEquals("zip", text(file));
                assertEquals(file.identity(), file.currentIdentity());
                assertTrue(file.isCurrent());
            }
            assertTrue(Thread.interrupted(), "the interrupt is the reader's to see");
            assertEquals("zip", Files.readString(files.getPath("/m")), "the file system was closed");
        }
    }

    @Test
    void a_file_that_was_replaced_is_not_reopened_after_an_interrupt() throws IOException, InterruptedException {
        Path path = Files.write(directory.resolve("m"), new byte[4 << 20]);
        Path other = Files.write(directory.resolve("n"), new byte[4 << 20]);
        try (StorageFile file = LocalStorage.plain("a test says so").open(Location.of(path));
                Arena arena = Arena.ofShared()) {
            Files.move(other, path, StandardCopyOption.REPLACE_EXISTING);
            MemorySegment target = arena.allocate(4 << 20);
            AtomicReference<Throwable> failure = new AtomicReference<>();
            Thread reader = Thread.ofPlatform().start(() -> {
                try {
                    while (true) {
                        file.read(0, target, 0, 4 << 20);
                    }
                } catch (RuntimeException | Error e) {
                    failure.set(e);
                }
            });
            while (reader.isAlive()) {
                reader.interrupt();
                Thread.sleep(1);
            }
            StorageException e = assertInstanceOf(StorageException.class, failure.get());
            assertTrue(e.getMessage().contains("was replaced"), e.getMessage());
            assertTrue(e.getMessage().contains(path.toString()), e.getMessage());
        }
    }

    @ParameterizedTest
    @MethodSource("ways")
    void what_cannot_be_opened_says_why(LocalStorage storage) throws IOException {
        Path loop = Files.createSymbolicLink(directory.resolve("loop"), Path.of("loop"));
        write("m", "x");
        for (Map.Entry<Path, String> each : Map.of(loop, "ELOOP", directory.resolve("m/x"), "ENOTDIR",
                directory.resolve("none"), "no such file", directory, "not a regular file").entrySet()) {
            StorageException e = assertThrows(StorageException.class, () -> storage.open(Location.of(each.getKey())));
            assertTrue(e.getMessage().contains(each.getValue()), e.getMessage());
            assertTrue(e.getMessage().contains(each.getKey().toString()), e.getMessage());
        }
    }

    @Test
    void a_link_that_leads_nowhere_is_no_absence() throws IOException {
        Storage storage = LocalStorage.platform();
        Path loop = Files.createSymbolicLink(directory.resolve("loop"), Path.of("loop"));
        StorageException e = assertThrows(StorageException.class, () -> storage.kind(Location.of(loop)));
        assertTrue(e.getMessage().contains("ELOOP"), e.getMessage());
        assertEquals(Storage.Kind.ABSENT, storage.kind(Location.of(directory.resolve("none"))));
        assertEquals(Storage.Kind.DIRECTORY, storage.kind(Location.of(directory)));
        assertEquals(Storage.Kind.OTHER, storage.kind(Location.of("/dev/null")));
    }

    @ParameterizedTest
    @MethodSource("ways")
    void names_that_no_charset_says_are_listed_and_opened(LocalStorage storage) throws IOException {
        for (String encoded : List.of("caf%E9.safetensors", "%F0%9F%A6%99.safetensors", "%FF%FE", "n".repeat(255))) {
            Path path = Path.of(URI.create("file://" + directory.toUri().getRawPath() + encoded));
            Files.writeString(path, encoded);
            try (StorageFile file = storage.open(Location.of(path))) {
                assertEquals(encoded.substring(0, Math.min(100, encoded.length())), text(file));
            }
        }
        List<StorageEntry> entries = storage.list(Location.of(directory));
        assertEquals(4, entries.size());
        for (StorageEntry entry : entries) {
            assertEquals(Storage.Kind.FILE, entry.kind());
            storage.open(entry.location()).close();
        }
        assertTrue(entries.stream().anyMatch(entry -> entry.name().equals("caf\\xE9.safetensors")), entries.toString());
    }

    @Test
    void a_path_of_a_zip_is_read_through_its_channel_not_from_the_disk() throws IOException {
        Path zip = directory.resolve("a.zip");
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of("create", "true"))) {
            Path inside = Files.writeString(files.getPath("/m"), "in the zip");
            assertEquals("in the zip", Files.readString(inside));
        }
        try (FileSystem files = FileSystems.newFileSystem(zip, Map.of());
                StorageFile file = LocalStorage.platform().open(Location.of(files.getPath("/m")))) {
            assertEquals("in the zip", text(file));
            assertEquals("jar", file.storageName());
            assertTrue(file.reason().contains("through its channel"), file.reason());
            assertTrue(file.ability(Mapping.class).isEmpty());
            assertEquals(file.identity(), file.currentIdentity());
        }
    }
}

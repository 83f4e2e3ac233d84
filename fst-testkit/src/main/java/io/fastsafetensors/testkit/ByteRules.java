package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Rules on the bytes that reads bring.
abstract class ByteRules extends StorageRuleGroup {
    private static final int LENGTH = (1 << 18) + 1234;
    private static final long TWO_GIB = 1L << 31;
    private static final long FOUR_GIB = 1L << 32;

    @TempDir
    Path folder;

    @SuppressWarnings("NullAway.Init")
    ByteRules(StorageConformance suite) {
        super(suite);
    }

    /// The length is that of the file, whatever it is.
    ///
    /// If it fails: it is the file's own length, not that of a block, a compressed body or a listing.
    @Test
    @DisplayName("B-01 the length is that of the file")
    void b_01_the_length_is_that_of_the_file() throws Exception {
        for (int length : new int[] {0, 1, 511, 4095, 4096, 4097, LENGTH}) {
            try (StorageFile file = open("f" + length, new byte[length])) {
                assertEquals(length, file.length(), "length");
            }
        }
    }

    /// A whole file arrives unchanged, in as many reads as it takes.
    ///
    /// If it fails: the next read begins where the last one ended by its count, not where it should have ended.
    @Test
    @DisplayName("B-02 a whole file arrives")
    void b_02_a_whole_file_arrives() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("f", content)) {
            assertBytes(content, readAll(file), "a whole file");
            assertBytes(content, readAll(file), "a whole file, read again");
        }
    }

    /// A read of any range brings at least one byte of it, into any place of the target, and writes nothing around it.
    ///
    /// If it fails: alignment is the storage's business; cut what it brings to what was asked for.
    @Test
    @DisplayName("B-03 any range arrives in any place")
    void b_03_any_range_arrives_in_any_place() throws Exception {
        byte[] content = bytes(LENGTH);
        RandomGenerator random = random();
        try (StorageFile file = open("f", content)) {
            for (int round = 0; round < (isQuick() ? 60 : 500); round++) {
                int size = 1 + random.nextInt(round % 2 == 0 ? 100 : 70_000);
                int from = random.nextInt(LENGTH - size);
                checkRead(file::read, from, random.nextInt(9000), size, range(content, from, size), 1);
                assertBytes(range(content, from, size), read(file, from, size), size + " bytes from " + from);
            }
        }
    }

    /// Single bytes arrive, the first, the last, and those around multiples of 512 and 4096.
    ///
    /// If it fails: a range of one byte begins and ends with the same one; `bytes=5-5` in HTTP.
    @Test
    @DisplayName("B-04 one byte arrives")
    void b_04_one_byte_arrives() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("f", content)) {
            for (int at : new int[] {0, 1, 511, 512, 4095, 4096, 65_535, 65_536, LENGTH - 2, LENGTH - 1}) {
                checkRead(file::read, at, 3, 1, range(content, at, 1), 1);
            }
        }
    }

    /// A read over the end brings what is there, and says how much; nothing around the target is written.
    ///
    /// If it fails: the last part of a file is shorter than what was asked for; that is no error.
    @Test
    @DisplayName("B-05 a read over the end brings what is there")
    void b_05_a_read_over_the_end_brings_what_is_there() throws Exception {
        byte[] content = bytes(5000);
        try (StorageFile file = open("f", content)) {
            for (int left : new int[] {1, 300, 904, 4999, 5000}) {
                checkRead(file::read, 5000 - left, 10, 6000, range(content, 5000 - left, 6000), 1);
            }
        }
    }

    /// A read at the end or past it returns 0, however far, and writes nothing.
    ///
    /// If it fails: −1 is what Java's channels say; a service's "range not satisfiable" is 0 too.
    @Test
    @DisplayName("B-06 past the end there are 0 bytes")
    void b_06_past_the_end_there_are_0_bytes() throws Exception {
        try (StorageFile file = open("f", bytes(5000))) {
            for (long offset : new long[] {5000, 5001, 8192, TWO_GIB + 5, FOUR_GIB, 1L << 40}) {
                assertEquals(0, checkRead(file::read, offset, 10, 100, new byte[0], 0), () -> "at offset " + offset);
            }
        }
    }

    /// An empty file has the length 0, and reads of it return 0.
    ///
    /// If it fails: many services cannot serve a range of nothing; the length says that there is none.
    @Test
    @DisplayName("B-07 an empty file has no bytes")
    void b_07_an_empty_file_has_no_bytes() throws Exception {
        try (StorageFile file = open("f", new byte[0])) {
            assertEquals(0, file.length(), "length");
            assertEquals(0, checkRead(file::read, 0, 10, 100, new byte[0], 0), "bytes read");
        }
    }

    /// Bytes beyond 2 GiB and beyond 4 GiB arrive, also by reads across these borders. Needs a fixture that writes sparse
    /// files.
    ///
    /// If it fails: an offset is a `long` all the way; look for `int`, `Math.toIntExact` and 32-bit arguments.
    @Test
    @DisplayName("B-08 bytes beyond 4 GiB arrive")
    void b_08_bytes_beyond_4_gib_arrive() throws Exception {
        RandomGenerator random = random();
        Map<Long, byte[]> pieces = new TreeMap<>();
        long length = FOUR_GIB + (1 << 20) + 17;
        for (long at : new long[] {0, TWO_GIB - 1000, FOUR_GIB - 1000, length - 500}) {
            pieces.put(at, Workbench.bytes(random, at == 0 || at == length - 500 ? 500 : 2000));
        }
        Location location = fixture.location("large");
        fixture.writeSparse(location, length, pieces);
        try (StorageFile file = storage.open(location)) {
            assertEquals(length, file.length(), "length");
            for (Map.Entry<Long, byte[]> piece : pieces.entrySet()) {
                assertBytes(piece.getValue(), read(file, piece.getKey(), piece.getValue().length),
                        "bytes at " + piece.getKey());
            }
            assertBytes(new byte[100], read(file, TWO_GIB + 5000, 100), "zeros beyond 2 GiB");
            checkRead(file::read, length - 200, 10, 1000, Arrays.copyOfRange(pieces.get(length - 500), 300, 500), 1);
            assertEquals(0, checkRead(file::read, length, 10, 100, new byte[0], 0), "bytes at the end");
        }
    }

    /// Bytes arrive at places beyond 4 GiB of their target.
    ///
    /// If it fails: the place in the target is a `long`, too; do not make a `ByteBuffer` of the whole target.
    @Test
    @DisplayName("B-09 targets beyond 4 GiB are filled")
    void b_09_targets_beyond_4_gib_are_filled() throws Exception {
        byte[] content = bytes(3000);
        try (StorageFile file = open("f", content); Arena arena = Arena.ofShared()) {
            MemorySegment target = sparseMemory(arena, FOUR_GIB + 8192);
            long at = FOUR_GIB + 100;
            for (int done = 0; done < content.length;) {
                long read = file.read(done, target, at + done, content.length - done);
                assertTrue(read > 0 && read <= content.length - done,
                        () -> "a read in the middle of a file says " + read);
                done += (int) read;
            }
            assertBytes(content, target.asSlice(at, content.length).toArray(ValueLayout.JAVA_BYTE),
                    "bytes beyond 4 GiB of memory");
            assertBytes(new byte[4096], target.asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE),
                    "the beginning of the memory, which no read should touch");
        }
    }

    /// The preferences are sizes and counts, not negative ones, and a read of the preferred size works; the storage's name
    /// and the reason are words.
    ///
    /// If it fails: 0 stands for no preference.
    @Test
    @DisplayName("B-10 preferences can be followed")
    void b_10_preferences_can_be_followed() throws Exception {
        byte[] content = bytes(LENGTH);
        try (StorageFile file = open("f", content)) {
            int preferred = file.preferredReadBytes();
            assertTrue(preferred >= 0, () -> "preferredReadBytes() is " + preferred);
            assertTrue(file.preferredParallelReads() >= 0,
                    () -> "preferredParallelReads() is " + file.preferredParallelReads());
            int size = preferred == 0 ? LENGTH : Math.min(preferred, LENGTH);
            checkRead(file::read, 0, 0, size, range(content, 0, size), 1);
            assertFalse(file.storageName().isBlank(), "no storageName()");
            assertFalse(file.reason().isBlank(), "no reason()");
        }
    }

    private MemorySegment sparseMemory(Arena arena, long bytes) throws IOException {
        Path file = Files.createFile(folder.resolve("memory"));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
        } catch (IOException e) {
            return Assumptions.abort("the temporary folder holds no file of " + bytes + " bytes: " + e + Seed.note());
        }
    }
}

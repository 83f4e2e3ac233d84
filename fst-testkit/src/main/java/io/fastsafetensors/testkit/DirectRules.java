package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Reads from a file straight into device memory (capability DIRECT_STORAGE). Not applicable where the temporary
/// folder's filesystem does not support it.
abstract class DirectRules extends RuleGroup {
    private static final int LENGTH = (1 << 20) + 1234;

    @TempDir
    Path folder;

    private StorageFile source;
    private byte[] content;
    private DirectStorage storage;

    @SuppressWarnings("NullAway.Init")
    DirectRules(BackendConformance suite) {
        super(suite);
    }

    @BeforeEach
    void writeFile() throws IOException {
        bench.need(Capability.DIRECT_STORAGE);
        storage = bench.backend.directStorage()
                .orElseGet(() -> Assumptions.abort("direct storage is claimed and missing; see rule P-11"));
        content = Workbench.bytes(random(), LENGTH);
        source = DescriptorFile.open(Files.write(folder.resolve("direct"), content));
        DirectStorage.Support support = storage.support(source);
        if (support.mode() == DirectStorage.Mode.NONE) {
            Assumptions.abort("no direct reads of " + source.location() + ": " + support.reason());
        }
    }

    @AfterEach
    void closeFile() {
        if (source != null) {
            source.close();
        }
    }

    /// A whole file arrives unchanged.
    ///
    /// If it fails: check the bytes after the last full block; the file's length is no multiple of anything.
    @Test
    @DisplayName("D-01 a whole file arrives")
    void d_01_a_whole_file_arrives() {
        DeviceBuffer buffer = bench.allocate(LENGTH);
        try (DirectFile file = storage.open(source)) {
            assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH));
        }
        assertBytes(content, bench.download(buffer), "a file read directly");
    }

    /// Any range arrives at any offset, and nothing around it is written.
    ///
    /// If it fails: alignment is the backend's business: read the unaligned edges another way.
    @Test
    @DisplayName("D-02 any range arrives at any offset")
    void d_02_any_range_arrives_at_any_offset() {
        RandomGenerator random = random();
        try (DirectFile file = storage.open(source)) {
            for (int round = 0; round < 20; round++) {
                int size = 1 + random.nextInt(round % 2 == 0 ? 100 : 70_000);
                int from = random.nextInt(LENGTH - size);
                int to = random.nextInt(9000);
                byte[] expected = Workbench.filler(to + size + 99);
                System.arraycopy(content, from, expected, to, size);
                DeviceBuffer buffer = bench.upload(Workbench.filler(expected.length));
                assertEquals(size, file.read(from, buffer, to, size), "bytes read");
                assertBytes(expected, bench.download(buffer), size + " bytes from " + from + " to " + to);
            }
        }
    }

    /// A read over the end of the file gives what there is and says how much; behind the end it gives 0.
    ///
    /// If it fails: aligned reads may bring bytes that are not in the file; cut the count at the file's length.
    @Test
    @DisplayName("D-03 a read over the end of the file says how much there was")
    void d_03_a_read_over_the_end_of_the_file_says_how_much_there_was() {
        byte[] expected = Workbench.filler(1000);
        System.arraycopy(content, LENGTH - 300, expected, 0, 300);
        DeviceBuffer buffer = bench.upload(Workbench.filler(1000));
        try (DirectFile file = storage.open(source)) {
            assertEquals(300, file.read(LENGTH - 300, buffer, 0, 1000), "bytes at the end");
            assertEquals(0, file.read(LENGTH, buffer, 500, 100), "bytes behind the end");
        }
        assertBytes(Arrays.copyOf(expected, 300), bench.download(buffer, 0, 300), "bytes at the end");
    }

    /// `support` answers for a file of any storage, with a descriptor or without: a reason always, an exception never.
    ///
    /// If it fails: it is asked for every file of a checkpoint, and third parties bring files that the kernel knows
    /// nothing of.
    @Test
    @DisplayName("D-04 support answers for every file")
    void d_04_support_answers_for_every_file() {
        DirectStorage.Support support = storage.support(new PlainFile(source));
        assertTrue(!support.reason().isBlank(), "no reason for a file without a descriptor");
        assertEquals(support, storage.support(new PlainFile(source)), "asked again");
    }

    /// What `support` calls impossible cannot be opened: [BackendException] that names the file.
    ///
    /// If it fails: put the location into the exception; the user has many files.
    @Test
    @DisplayName("D-05 a file that has no direct reads is refused by name")
    void d_05_a_file_that_has_no_direct_reads_is_refused_by_name() {
        StorageFile plain = new PlainFile(source);
        if (supports(plain)) {
            Assumptions.abort("this storage reads every file directly");
        }
        BackendException refused = assertThrows(BackendException.class, () -> storage.open(plain).close());
        assertTrue(String.valueOf(refused.getMessage()).contains("direct"), refused::getMessage);
    }

    private boolean supports(StorageFile file) {
        try {
            return storage.support(file).mode() != DirectStorage.Mode.NONE;
        } catch (BackendException e) {
            // That it throws is what D-04 is about.
            return false;
        }
    }

    /// A closed file throws [IllegalStateException]; closing it twice is harmless.
    ///
    /// If it fails: the descriptor may belong to another file by now; check a flag first.
    @Test
    @DisplayName("D-06 a closed file answers with IllegalStateException")
    void d_06_a_closed_file_answers_with_illegal_state_exception() {
        DeviceBuffer buffer = bench.allocate(100);
        DirectFile file = storage.open(source);
        file.close();
        file.close();
        assertThrows(IllegalStateException.class, () -> file.read(0, buffer, 0, 100));
    }

    /// A range outside the target is refused with [IndexOutOfBoundsException], and nothing is written.
    ///
    /// If it fails: check before the library is called; it trusts its caller.
    @Test
    @DisplayName("D-07 a range outside the target is refused")
    void d_07_a_range_outside_the_target_is_refused() {
        DeviceBuffer buffer = bench.upload(Workbench.filler(1000));
        try (DirectFile file = storage.open(source)) {
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, 901, 100));
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, -1, 100));
        }
        assertBytes(Workbench.filler(1000), bench.download(buffer), "the target of a refused read");
    }

    /// Many threads read one file at once.
    ///
    /// If it fails: no shared position, no shared bounce buffer.
    @Test
    @DisplayName("D-08 many threads read one file at once")
    void d_08_many_threads_read_one_file_at_once() throws InterruptedException {
        int threads = 8;
        DeviceBuffer buffer = bench.allocate(LENGTH);
        try (DirectFile file = storage.open(source)) {
            Threads.together(threads, thread -> {
                int block = 33_333;
                for (int at = thread * block; at < LENGTH; at += threads * block) {
                    int size = Math.min(block, LENGTH - at);
                    assertEquals(size, file.read(at, buffer, at, size));
                }
            });
        }
        assertBytes(content, bench.download(buffer), "a file read by " + threads + " threads");
    }

    /// A file of a storage that has no abilities.
    private record PlainFile(StorageFile real) implements StorageFile {
        @Override
        public Location location() {
            return real.location();
        }

        @Override
        public long length() {
            return real.length();
        }

        @Override
        public FileIdentity identity() {
            return real.identity();
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            return real.read(offset, target, targetOffset, bytes);
        }

        @Override
        public String storageName() {
            return "plain";
        }

        @Override
        public void close() {
            // The real one is closed by its owner.
        }
    }
}

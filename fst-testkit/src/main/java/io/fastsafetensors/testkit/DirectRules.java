package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.ffm.DescriptorFile;
import io.fastsafetensors.testkit.fixture.PlainFile;
import io.fastsafetensors.testkit.fixture.Seed;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;
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

    @Override
    void prepare() throws IOException {
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

    @Override
    void finish() {
        if (source != null) {
            source.close();
        }
    }

    /// A whole file arrives unchanged, and so does another one that is open at the same time.
    ///
    /// If it fails: check the bytes after the last full block; the file's length is no multiple of anything.
    @Test
    @DisplayName("D-01 a whole file arrives")
    void d_01_a_whole_file_arrives() throws IOException {
        DeviceBuffer buffer = bench.allocate(LENGTH);
        DeviceBuffer second = bench.allocate(1000);
        byte[] others = Workbench.bytes(Seed.random("D-01"), 1001);
        try (DirectFile file = storage.open(source)) {
            assertTrue(file.alignment() > 0 && Long.bitCount(file.alignment()) == 1,
                    () -> "the alignment is " + file.alignment());
        }
        try (DirectFile file = storage.open(source);
                StorageFile other = DescriptorFile.open(Files.write(folder.resolve("other"), others));
                DirectFile otherFile = storage.open(other)) {
            assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH));
            assertEquals(1000, otherFile.read(1, second, 0, 1000));
        }
        assertBytes(content, bench.download(buffer), "a file read directly");
        assertBytes(Arrays.copyOfRange(others, 1, 1001), bench.download(second), "another file, open at the same time");
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
        if (support.mode() != DirectStorage.Mode.NONE) {
            DeviceBuffer buffer = bench.allocate(LENGTH);
            try (DirectFile file = storage.open(new PlainFile(source))) {
                assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH), "a file that is said to be read directly");
            }
        }
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

    /// A range outside the target is refused with [IndexOutOfBoundsException], also one that fits when it is cut to 32 bits,
    /// and nothing is written.
    ///
    /// If it fails: check before the library is called; it trusts its caller.
    @Test
    @DisplayName("D-07 a range outside the target is refused")
    void d_07_a_range_outside_the_target_is_refused() {
        DeviceBuffer buffer = bench.upload(Workbench.filler(1000));
        try (DirectFile file = storage.open(source)) {
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, 901, 100));
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, -1, 100));
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, (1L << 32) + 1, 100));
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, 0, (1L << 32) + 100));
            assertThrows(IndexOutOfBoundsException.class, () -> file.read(0, buffer, 0, -1));
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

    /// One read may be as long as 16 MiB and more, and all of it arrives, far into the buffer too.
    ///
    /// If it fails: libraries cut long reads, and say so by their count; go on where they stopped.
    @Test
    @DisplayName("D-09 one read may be long")
    void d_09_one_read_may_be_long() throws IOException {
        byte[] large = Workbench.bytes(random(), (bench.effort == Effort.FULL ? 34 << 20 : 18 << 20) + 78);
        int[] sizes = bench.effort == Effort.FULL ? new int[] {(2 << 20) + 1, 1 << 24, large.length - 5}
                : new int[] {(2 << 20) + 1, large.length - 5};
        try (StorageFile long18 = DescriptorFile.open(Files.write(folder.resolve("large"), large));
                DirectFile file = storage.open(long18)) {
            for (int size : sizes) {
                int at = size == large.length - 5 ? 0 : (1 << 16) + 4099;
                DeviceBuffer buffer = bench.upload(Workbench.filler(at + size + 100));
                assertEquals(size, file.read(5, buffer, at, size), "bytes read");
                byte[] expected = Workbench.filler(at + size + 100);
                System.arraycopy(large, 5, expected, at, size);
                assertBytes(expected, bench.download(buffer), "a read of " + size + " bytes");
                buffer.close();
            }
        }
    }

    /// Files may be longer than 4 GiB: what lies behind is read, and nothing from the place that is left when the offset is
    /// cut. The file is sparse.
    ///
    /// If it fails: file offsets have 64 bits; look for `off_t` of 32, and for an `int`.
    @Test
    @DisplayName("D-10 files may be longer than 4 GiB")
    void d_10_files_may_be_longer_than_4_gib() throws IOException {
        RandomGenerator random = random();
        long[] places = {0, 1 << 16, (1L << 31) - 500, 1L << 31, (1L << 32) - 500, (1L << 32) + 4096};
        byte[][] written = new byte[places.length][];
        Path path = folder.resolve("sparse");
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                StandardOpenOption.SPARSE)) {
            for (int i = 0; i < places.length; i++) {
                written[i] = Workbench.bytes(random, 1000);
                channel.write(ByteBuffer.wrap(written[i], 0, i == 2 || i == 4 ? 500 : 1000), places[i]);
            }
        }
        DeviceBuffer buffer = bench.allocate(1000);
        try (StorageFile sparse = DescriptorFile.open(path); DirectFile file = storage.open(sparse)) {
            for (int i = 0; i < places.length; i++) {
                int size = i == 2 || i == 4 ? 500 : 1000;
                assertEquals(size, file.read(places[i], buffer, 0, size), "bytes read at " + places[i]);
                assertBytes(Arrays.copyOf(written[i], size), bench.download(buffer, 0, size),
                        "bytes at " + places[i]);
            }
            assertEquals(1000, file.read((1L << 32) + 4096, buffer, 0, 1000));
            assertEquals(0, file.read((1L << 32) + 5096, buffer, 0, 1000), "bytes behind the end");
        }
    }

    /// Direct reads reach any place of a buffer: beyond 24 bits, and in a full run beyond 32 bits as A-07 does.
    ///
    /// If it fails: the target's offset has 64 bits.
    @Test
    @DisplayName("D-14 direct reads reach far into a buffer")
    void d_14_direct_reads_reach_far_into_a_buffer() {
        DeviceBuffer buffer = bench.effort == Effort.FULL ? bench.large() : bench.allocate((33 << 20) + 5000);
        long size = buffer.byteSize();
        // Each of these is the place of another one when its upper bits, or its lower ones, are lost.
        long[] places = {0, 5000, 10 << 20, (1 << 24) + 1, 1 << 25, size - 5000};
        try (DirectFile file = storage.open(source)) {
            for (int i = 0; i < places.length; i++) {
                assertEquals(4000, file.read(i * 4000L, buffer, places[i], 4000), "bytes read");
            }
            // More than the file has, and more than is left when the count is cut.
            for (long cut : new long[] {1L << 31, 1L << 32}) {
                if (cut + 30_100 <= size) {
                    assertEquals(LENGTH - 24_000, file.read(24_000, buffer, 30_000, cut + 100),
                            "bytes of a file that is shorter than what was asked for");
                }
            }
        }
        for (int i = 0; i < places.length; i++) {
            assertBytes(Arrays.copyOfRange(content, i * 4000, (i + 1) * 4000), bench.download(buffer, places[i], 4000),
                    "bytes read to " + places[i]);
        }
    }

    /// A file that cannot be read is a [BackendException], when it is opened or when it is read, and no short read: here, a
    /// descriptor that is open for writing only. One of a read names the file. A backend that opens the file once more reads
    /// it right.
    ///
    /// If it fails: a negative count is an error, and so is a status in a request's completion.
    @Test
    @DisplayName("D-11 a read that fails is an exception")
    void d_11_a_read_that_fails_is_an_exception() {
        DeviceBuffer buffer = bench.allocate(1000);
        try (StorageFile blind = DescriptorFile.openForWriting(folder.resolve("direct"))) {
            DirectFile file;
            try {
                file = storage.open(blind);
            } catch (BackendException _) {
                return;
            }
            try (file) {
                long got = file.read(0, buffer, 0, 1000);
                // Who may read the file and opens it once more reads it.
                assertEquals(1000, got, "bytes read through a descriptor that is open for writing only");
                assertBytes(Arrays.copyOf(content, 1000), bench.download(buffer), "what was read");
            } catch (FstException failed) {
                assertTrue(String.valueOf(failed.getMessage()).contains("direct"), failed::getMessage);
            }
        }
    }

    /// A direct read that the device fails to do is a [BackendException]. Needs the suite's
    /// [BackendConformance#failures()].
    ///
    /// If it fails: as D-11.
    @Test
    @DisplayName("D-12 a read that the device fails to do is an exception")
    void d_12_a_read_that_the_device_fails_to_do_is_an_exception() throws Exception {
        FailureHook hook = suite.failures().orElseGet(() -> Assumptions.abort("failures() of the suite provokes none"));
        DeviceBuffer buffer = bench.allocate(LENGTH);
        try (DirectFile file = storage.open(source);
                AutoCloseable _ = hook.provoke(FailureHook.Failure.DIRECT_READ)
                        .orElseGet(() -> Assumptions.abort("the suite's failures() provokes no failed reads"))) {
            assertThrows(FstException.class, () -> file.read(0, buffer, 0, LENGTH), "a failed read");
        }
        try (DirectFile file = storage.open(source)) {
            assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH), "bytes read after a failure");
        }
        assertBytes(content, bench.download(buffer), "a file read after a failure");
    }

    /// A read that ends at the end of a file that became shorter gives what is left, or fails; it never says that bytes
    /// were read which are not there.
    ///
    /// If it fails: count what came; do not trust the length that the file had.
    @Test
    @DisplayName("D-13 a file that became shorter brings no bytes that are gone")
    void d_13_a_file_that_became_shorter_brings_no_bytes_that_are_gone() throws IOException {
        int left = LENGTH / 2 + 11;
        DeviceBuffer buffer = bench.allocate(LENGTH);
        try (DirectFile file = storage.open(source)) {
            try (FileChannel channel = FileChannel.open(folder.resolve("direct"), StandardOpenOption.WRITE)) {
                channel.truncate(left);
            }
            long count;
            try {
                count = file.read(0, buffer, 0, LENGTH);
            } catch (FstException _) {
                return;
            }
            assertTrue(count <= left, () -> count + " bytes of a file that has " + left);
            assertBytes(Arrays.copyOf(content, (int) count), bench.download(buffer, 0, count), "what was left");
        }
    }

    /// A file that is open is read, whatever its path names now. A library that goes by names (cuFile does, from the
    /// descriptor to the path) may refuse; it never reads the other file.
    ///
    /// If it fails: go by the descriptor of the file that was given, and open no path.
    @Test
    @DisplayName("D-15 a file that was replaced is read as it was opened, or refused")
    void d_15_a_file_that_was_replaced_is_read_as_it_was_opened_or_refused() throws IOException {
        DeviceBuffer buffer = bench.allocate(LENGTH);
        Path other = Files.write(folder.resolve("other"), Workbench.filler(LENGTH));
        Files.move(other, folder.resolve("direct"), StandardCopyOption.REPLACE_EXISTING);
        try (DirectFile file = storage.open(source)) {
            assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH));
        } catch (BackendException e) {
            assertTrue(String.valueOf(e.getMessage()).contains(folder.resolve("direct").toString()),
                    "the refusal names the file: " + e.getMessage());
            return;
        }
        assertBytes(content, bench.download(buffer), "a file that another one took the place of");
    }

    /// Closing the backend closes its direct files: a read is an [IllegalStateException] then, and closing is harmless.
    ///
    /// If it fails: keep a set of what is open, direct files too.
    @Test
    @DisplayName("D-16 direct files end with their backend")
    void d_16_direct_files_end_with_their_backend() {
        DeviceBuffer buffer = bench.upload(Workbench.filler(LENGTH));
        Backend other = bench.provider.open(bench.device, BackendOptions.defaults());
        DirectFile file = other.directStorage().orElseThrow().open(source);
        other.close();
        assertThrows(IllegalStateException.class, () -> file.read(0, buffer, 0, 100),
                "a read after the backend's close");
        assertDoesNotThrow(file::close, "a close after the backend's");
        assertBytes(Workbench.filler(LENGTH), bench.download(buffer), "the target of a read that came too late");
    }

    /// A thread that is interrupted reads all the same, and is interrupted still.
    ///
    /// If it fails: the JDK closes a channel under an interrupted thread; read by a call that knows no interrupts.
    @Test
    @DisplayName("D-17 an interrupt does not end a direct read")
    void d_17_an_interrupt_does_not_end_a_direct_read() {
        DeviceBuffer buffer = bench.allocate(LENGTH);
        try (DirectFile file = storage.open(source)) {
            Thread.currentThread().interrupt();
            try {
                assertEquals(LENGTH, file.read(0, buffer, 0, LENGTH));
            } finally {
                assertTrue(Thread.interrupted(), "the thread is not interrupted any more");
            }
        }
        assertBytes(content, bench.download(buffer), "bytes read by an interrupted thread");
    }
}

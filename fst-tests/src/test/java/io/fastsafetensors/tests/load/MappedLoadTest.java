package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/// Loads to the CPU whose files are mapped instead of copied.
@Timeout(600)
class MappedLoadTest {
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());
    private static final int TENSORS = 6;
    private static final int BYTES = 100_000;
    private static final String MAPPED = "MAPPED_IN_PLACE: ";
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    @TempDir
    Path directory;

    private static LoaderBuilder mapped() {
        return Loader.builder().device("cpu").transferPath(TransferPath.MAPPED);
    }

    private Path sample(String name) {
        Path file = directory.resolve(name);
        Samples.write(file, TENSORS, BYTES, 5);
        return file;
    }

    private static String why(LoadPlan plan) {
        return plan.files().getFirst().landing();
    }

    private static Path random(Path file, Random random) throws IOException {
        SafetensorsFixture fixture = SafetensorsFixture.create().dataStart(random.nextInt(64), 64)
                .tensor("scalar", DType.F64, Shape.of(), random.nextLong())
                .tensor("empty", DType.F32, Shape.of(3, 0), random.nextLong());
        DType[] all = DType.values();
        for (int i = 0; i < 1 + random.nextInt(12); i++) {
            DType dtype = all[random.nextInt(all.length)];
            fixture.tensor("t" + i, dtype, Shape.of(1 + random.nextInt(60), 8 * (1 + random.nextInt(60))),
                    random.nextLong());
        }
        return fixture.write(file).path();
    }

    @Test
    void the_bytes_are_those_of_a_load_that_copies() throws IOException {
        Random random = new Random(SEED);
        int inPlace = 0;
        for (int round = 0; round < 40; round++) {
            String what = "round " + round + ", fst.seed " + SEED;
            Path file = random(directory.resolve("random" + round + ".safetensors"), random);
            int third = random.nextInt(3);
            int block = 4096 << random.nextInt(4);
            try (Loader copying = Loader.builder().device("cpu").blockBytes(block).build();
                    Loader mapping = mapped().blockBytes(block).readers(random.nextInt(4)).build();
                    Weights expected = copying.load(file, t -> t.name().hashCode() % 3 != third);
                    Weights found = mapping.load(file, t -> t.name().hashCode() % 3 != third)) {
                assertEquals(expected.names(), found.names(), what);
                for (String name : expected.names()) {
                    assertSameTensor(expected.get(name), found.get(name), what + " " + name);
                }
                found.awaitAll();
                inPlace += why(found.plan()).startsWith(MAPPED) ? 1 : 0;
            }
        }
        assertTrue(inPlace > 0 && inPlace < 40, inPlace + " files were mapped, fst.seed " + SEED);
    }

    private static void assertSameTensor(Tensor expected, Tensor found, String what) {
        assertArrayEquals(expected.toByteArray(), found.toByteArray(), what);
        assertEquals(0, found.address() % found.dtype().alignment(), what);
        assertEquals(-1, expected.segment().mismatch(found.segment()), what);
        if (found.shape().rank() == 2 && found.byteSize() > 0) {
            assertArrayEquals(expected.slice(Slice.at(0)).toByteArray(), found.slice(Slice.at(0)).toByteArray(), what);
            Slice[] columns = {Slice.all(), Slice.range(0, Math.min(8, found.shape().dim(1)))};
            assertArrayEquals(expected.slice(columns).toByteArray(), found.slice(columns).toByteArray(), what);
        }
        if (found.dtype().isFloat() && found.dtype() != DType.F4) {
            assertArrayEquals(expected.to(DType.F32).toByteArray(), found.to(DType.F32).toByteArray(), what);
        }
    }

    @Test
    void a_mapped_load_takes_no_memory_of_the_device_and_says_so() {
        Path file = sample("model.safetensors");
        AtomicLong told = new AtomicLong();
        try (Loader loader = mapped().deviceBudget(1).blockBytes(16 << 10).progress((done, _) -> told.set(done))
                .build()) {
            assertEquals(MAPPED + "mapped was asked for, and the file is aligned", why(loader.plan(Location.of(file))));
            try (Weights weights = loader.load(file)) {
                weights.awaitAll();
                assertTrue(weights.names().stream().allMatch(weights::isReady));
                assertTrue(weights.plan().describe().contains("of a mapping, MAPPED_IN_PLACE since"),
                        weights.plan().describe());
                assertEquals(0, weights.plan().deviceBytes());
                assertEquals(0, weights.plan().stagingBytes());
                LoadStats stats = weights.stats();
                assertEquals(0, stats.deviceBytes());
                assertEquals(0, stats.stagingBytes());
                assertEquals((long) TENSORS * BYTES, stats.mappedBytes());
                assertEquals(stats.mappedBytes(), stats.bytesRead());
                assertEquals(stats.bytesRead(), told.get());
                assertEquals(List.of(file + ": mapped: mapped was asked for, and the file is aligned"),
                        stats.storage());
            }
        }
    }

    /// Pages that the page cache has are mapped by several threads, which a drive would not serve better.
    @Test
    @Tag("native")
    void a_cached_file_is_mapped_by_several_readers() throws IOException {
        Path file = sample("model.safetensors");
        int expected = Math.min(4, Runtime.getRuntime().availableProcessors());
        for (int attempt = 0; attempt < 50; attempt++) {
            Files.readAllBytes(file);
            try (Loader loader = mapped().blockBytes(16 << 10).build(); Weights weights = loader.load(file)) {
                weights.awaitAll();
                // Whoever drops the page cache of this machine meanwhile makes it another load.
                if (weights.stats().bytesFromCache() == weights.stats().bytesRead()) {
                    assertEquals(expected, weights.stats().readers());
                    return;
                }
            }
        }
        fail("50 times the page cache did not hold a file that was just read");
    }

    @Test
    void memory_of_a_mapping_is_read_only() {
        try (Loader loader = mapped().build(); Weights weights = loader.load(sample("model.safetensors"))) {
            Tensor tensor = weights.get("t0");
            assertTrue(tensor.segment().isReadOnly());
            assertTrue(tensor.asByteBuffer().isReadOnly());
            assertTrue(tensor.slice(Slice.range(5, 10)).segment().isReadOnly());
            assertThrows(IllegalArgumentException.class,
                    () -> tensor.segment().set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
            MemorySegment own = tensor.slice(Slice.every(2)).segment();
            own.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        }
    }

    @Test
    @Tag("native")
    void an_old_consumer_of_dlpack_is_refused_and_another_told_that_it_may_not_write() {
        try (Loader loader = mapped().build(); Weights weights = loader.load(sample("model.safetensors"))) {
            Tensor tensor = weights.get("t0");
            UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                    () -> tensor.toDlpack(DlpackVersion.LEGACY));
            assertTrue(e.getMessage().contains("read-only"), e.getMessage());
            assertEquals("t0", e.where().tensor());
            try (Dlpack struct = tensor.toDlpack(DlpackVersion.VERSIONED);
                    Tensor back = loader.fromDlpack(struct.address(), DlpackVersion.VERSIONED)) {
                struct.consumed();
                assertTrue(back.segment().isReadOnly());
                assertArrayEquals(tensor.toByteArray(), back.toByteArray());
            }
        }
    }

    @Test
    @Tag("native")
    void the_mapping_ends_with_its_last_holder() {
        Path file = sample("model.safetensors");
        byte[] expected;
        Tensor detached;
        Pin pin;
        try (Loader loader = mapped().leakDetection(LeakDetection.ON).build()) {
            MemorySegment late;
            try (Weights weights = loader.load(file)) {
                expected = weights.get("t1").toByteArray();
                detached = weights.get("t1").detach();
                pin = weights.get("t2").pin();
                late = weights.get("t1").segment();
                assertEquals(1, Remains.mappings(directory));
            }
            assertThrows(IllegalStateException.class, () -> late.get(ValueLayout.JAVA_BYTE, 0));
        }
        assertEquals(1, Remains.mappings(directory));
        assertArrayEquals(expected, detached.toByteArray());
        assertTrue(detached.segment().isReadOnly());
        pin.close();
        assertEquals(1, Remains.mappings(directory));
        assertArrayEquals(expected, detached.toByteArray());
        detached.close();
        assertEquals(0, Remains.mappings(directory));
    }

    @Test
    @Tag("native")
    void an_exported_tensor_outlives_everything_else() {
        Tensor back;
        byte[] expected;
        try (Loader loader = mapped().build(); Weights weights = loader.load(sample("model.safetensors"));
                Dlpack struct = weights.get("t3").toDlpack(DlpackVersion.VERSIONED)) {
            expected = weights.get("t3").toByteArray();
            back = loader.fromDlpack(struct.address(), DlpackVersion.VERSIONED);
            struct.consumed();
        }
        assertEquals(1, Remains.mappings(directory));
        assertArrayEquals(expected, back.toByteArray());
        back.close();
        assertEquals(0, Remains.mappings(directory));
    }

    @Test
    void a_load_closed_at_once_leaves_no_mapping() {
        Path file = sample("model.safetensors");
        OpenObjects objects = NearProvider.behave(FaultPlan.seeded(1));
        for (int i = 0; i < 30; i++) {
            try (Loader loader =
                    mapped().device(NearProvider.DEVICE).alignment(1).blockBytes(4096).readers(1 + i % 3).build();
                    Weights weights = loader.load(file)) {
                assertTrue(why(weights.plan()).startsWith(MAPPED), why(weights.plan()));
                if (i % 2 == 0) {
                    weights.get("t" + i % TENSORS);
                }
            }
            Remains.assertNone(objects, directory, () -> "a load that was closed at once");
            assertEquals(0, Remains.mappings(directory));
        }
    }

    @Test
    @Tag("native")
    void a_file_cut_after_the_load_is_an_exception_wherever_java_reads() throws IOException {
        Path file = sample("model.safetensors");
        try (Loader loader = mapped().build(); Weights weights = loader.load(file)) {
            weights.awaitAll();
            Tensor last = weights.get("t" + (TENSORS - 1));
            Tensor kept = last.detach();
            MemorySegment segment = last.segment();
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(1000);
            }
            byte[] heap = new byte[BYTES];
            List<Executable> reads = new ArrayList<>();
            reads.add(() -> last.copyTo(MemorySegment.ofArray(heap)));
            reads.add(last::toByteArray);
            reads.add(kept::toByteArray);
            reads.add(() -> last.to(DType.F32));
            reads.add(last::toFloatArray);
            reads.add(() -> last.slice(Slice.every(2)));
            reads.add(() -> last.slice(Slice.range(0, 10)).toByteArray());
            for (Executable read : reads) {
                StorageException e = assertThrows(StorageException.class, read);
                assertEquals(file.toString(), e.where().file());
                assertTrue(e.getMessage().contains("shorter"), e.getMessage());
            }
            assertThrows(InternalError.class, () -> read(segment));
            assertThrows(Throwable.class, () -> Safetensors.write(directory.resolve("copy.safetensors"),
                    List.of(TensorSource.of(last)), WriteOptions.defaults()));
            assertFalse(Files.exists(directory.resolve("copy.safetensors")));
            kept.close();
        }
        assertEquals(0, Remains.mappings(directory));
    }

    private static long read(MemorySegment segment) {
        long sum = 0;
        for (long at = 0; at < segment.byteSize(); at++) {
            sum += segment.get(ValueLayout.JAVA_BYTE, at);
        }
        return sum;
    }

    @Test
    void a_file_cut_before_its_pages_are_brought_in_is_one_error_that_names_it() throws IOException {
        Path file = sample("model.safetensors");
        try (Loader loader = mapped().blockBytes(4096).readers(1).progress((_, _) -> cut(file)).build();
                Weights weights = loader.load(file)) {
            StorageException e = assertThrows(StorageException.class, weights::awaitAll);
            assertEquals(file.toString(), e.where().file());
            assertTrue(e.getMessage().contains("shrank"), e.getMessage());
            assertThrows(StorageException.class, () -> weights.get("t5"));
        }
        assertEquals(0, Remains.mappings(directory));
    }

    private static void cut(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(BYTES);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void what_a_mapping_cannot_be_is_copied_and_the_plan_says_why() throws IOException {
        Path file = sample("model.safetensors");
        Path floats = SafetensorsFixture.create().tensor("f", DType.F32, Shape.of(10), 1)
                .write(directory.resolve("floats.safetensors")).path();
        Path odd = SafetensorsFixture.create().dataStart(1, 8).tensor("f", DType.F32, Shape.of(10), 1)
                .write(directory.resolve("odd.safetensors")).path();
        assertCopied(mapped().dtype(DType.BF16), Location.of(floats), "MOVED", "tensors are converted to BF16");
        assertCopied(mapped(), Location.of(odd), "MOVED", "tensors in the file are not aligned to 4 bytes");
        assertCopied(mapped().alignment(1 << 20), Location.of(file), "MOVED", "not aligned to 1048576 bytes");
        assertCopied(mapped(), Location.of(Files.readAllBytes(file)), "IN_PLACE",
                "storage or files of this kind cannot be mapped");
        Ranks.all(2, group -> {
            assertCopied(mapped().group(group), Location.of(file), "IN_PLACE", "ranks that share a load");
            return true;
        });
        try (Loader loader = mapped().build(); TensorStream stream = loader.stream(file)) {
            for (Tensor tensor : stream) {
                assertFalse(tensor.segment().isReadOnly());
            }
            assertTrue(stream.stats().storage().getFirst().endsWith("mapped was asked for, and batches are read into"
                    + " memory that is used again"), stream.stats().storage().toString());
        }
    }

    private static void assertCopied(LoaderBuilder builder, Location file, String path, String reason) {
        try (Loader loader = builder.build(); Weights weights = loader.load(file)) {
            weights.awaitAll();
            String why = why(weights.plan());
            assertTrue(why.startsWith(path + ": mapped was asked for, and ") && why.contains(reason), why);
            // A rank that reads nothing itself tells nothing.
            assertTrue(weights.stats().storage().stream().allMatch(line -> line.contains(reason)),
                    weights.stats().storage().toString());
            assertEquals(0, weights.stats().mappedBytes());
            weights.names().forEach(name -> assertFalse(weights.get(name).segment().isReadOnly()));
        }
    }

    @Test
    void files_that_cannot_be_mapped_are_copied_beside_others_that_can() throws IOException {
        Path even = directory.resolve("even.safetensors");
        Map<String, String> digests = Samples.write(even, TENSORS, BYTES, 6);
        Path odd = SafetensorsFixture.create().dataStart(1, 8).tensor("f", DType.F32, Shape.of(10), 1)
                .write(directory.resolve("odd.safetensors")).path();
        try (Loader loader = mapped().build(); Weights weights = loader.load(List.of(even, odd))) {
            weights.awaitAll();
            digests.forEach((name, digest) -> assertEquals(digest, Samples.digest(weights.get(name)), name));
            assertEquals(10, weights.get("f").toFloatArray().length);
            assertEquals((long) TENSORS * BYTES, weights.stats().mappedBytes());
            assertTrue(weights.stats().deviceBytes() > 0);
            assertTrue(weights.get("t0").segment().isReadOnly());
            assertFalse(weights.get("f").segment().isReadOnly());
        }
    }

    @Test
    void a_dropped_tensor_of_a_mapping_is_found_and_unmapped() throws InterruptedException {
        Path file = sample("model.safetensors");
        try (LeakLog log = new LeakLog(); Loader loader = mapped().leakDetection(LeakDetection.ON).build()) {
            drop(loader, file);
            assertTrue(log.waitFor("detached tensor \"t0\""), log.toString());
            long end = System.nanoTime() + PATIENCE_NANOS;
            while (Remains.mappings(directory) > 0) {
                assertTrue(System.nanoTime() < end, Remains.mappings(directory) + " mappings are left");
                Thread.sleep(1);
            }
        }
    }

    private static void drop(Loader loader, Path file) {
        try (Weights weights = loader.load(file)) {
            assertEquals(BYTES, weights.get("t0").detach().byteSize());
        }
    }
}

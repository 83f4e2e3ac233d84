package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Requests for device memory never exceed the budget, whatever is asked of a loader.
@Timeout(600)
class BudgetTest {
    private static final long SEED = Long.getLong("fst.seed", System.nanoTime());
    private static final DType[] DTYPES = {DType.F32, DType.BF16, DType.F16, DType.U8, DType.I64, DType.F8_E4M3,
        DType.F64};
    /// The most that two small slots, whole pages and alignment take besides tensors.
    private static final long OVERHEAD = 4 * ((64 << 10) + 8192) + 16384;

    @TempDir
    Path directory;
    private OpenObjects near = NearProvider.behave(FaultPlan.seeded(SEED));
    private OpenObjects remote = RemoteProvider.behave(FaultPlan.seeded(SEED));

    @AfterEach
    void memory_is_as_the_host_says() {
        MeteredProvider.free = -1;
    }

    @AfterEach
    void nothing_is_left() {
        assertEquals(Map.of(), near.counts(), () -> near.describe());
        assertEquals(Map.of(), remote.counts(), () -> remote.describe());
        assertEquals(0, MeteredProvider.live());
    }

    /// One to three files of tensors of all sizes, aligned or not.
    private Path checkpoint(String name, Random random) throws IOException {
        Path folder = Files.createDirectories(directory.resolve(name));
        int files = 1 + random.nextInt(3);
        boolean direct = random.nextBoolean();
        for (int f = 0; f < files; f++) {
            SafetensorsFixture file = SafetensorsFixture.create().headerPadding(random.nextInt(9));
            int tensors = random.nextInt(2, 40);
            for (int t = 0; t < tensors; t++) {
                long elements = random.nextInt(20) == 0 ? 0 : 1L << random.nextInt(15);
                file.tensor("f" + f + ".t" + t, DTYPES[random.nextInt(DTYPES.length)],
                        Shape.of(elements + (elements == 0 ? 0 : random.nextInt((int) elements))), random.nextLong());
            }
            file.write(folder.resolve((direct ? "direct-" : "model-") + f + ".safetensors"));
        }
        return folder;
    }

    @Test
    void allocations_stay_within_the_budget() throws IOException {
        run(60);
    }

    @Test
    @Tag("slow")
    void allocations_stay_within_the_budget_in_500_cases() throws IOException {
        run(500);
    }

    private void run(int cases) throws IOException {
        int refused = 0;
        for (int i = 0; i < cases; i++) {
            Case one = new Case(SEED + i);
            refused += one.run() ? 0 : 1;
            nothing_is_left();
        }
        assertTrue(refused < cases / 2, refused + " of " + cases + " refused, -Dfst.seed=" + SEED);
    }

    /// The requests to one loader.
    private final class Case {
        private final long seed;
        private final Random random;
        private final Path source;
        private final List<TensorInfo> tensors;
        private final DType dtype;
        private final long largest;
        private final long total;
        private final long budget;
        private final StreamOptions options;
        private final String text;
        private final LoaderBuilder builder;

        Case(long seed) throws IOException {
            this.seed = seed;
            this.random = new Random(seed);
            this.source = checkpoint("model-" + seed, random);
            this.tensors = Safetensors.open(source).tensors();
            this.dtype = random.nextInt(3) == 0 ? null : DTYPES[random.nextInt(3)];
            this.largest = tensors.stream().mapToLong(this::bytes).max().orElse(0);
            this.total = tensors.stream().mapToLong(this::bytes).sum();
            this.budget = Math.max(1, (long) ((largest + OVERHEAD) * (0.3 + 6 * random.nextDouble())));
            this.options = new StreamOptions(random.nextInt(6) - 1, random.nextBoolean());
            int backend = random.nextInt(3);
            TransferPath path = backend == 2 ? TransferPath.values()[random.nextInt(4)]
                    : random.nextBoolean() ? TransferPath.AUTO : TransferPath.STAGED;
            FaultPlan plan = FaultPlan.seeded(seed);
            near = NearProvider.behave(backend == 1 ? plan.deferred() : plan);
            remote = RemoteProvider.behave(FaultPlan.seeded(seed));
            int readers = random.nextInt(7);
            int block = random.nextBoolean() ? 0 : 4096 << random.nextInt(9);
            this.builder = (backend == 2 ? Loader.builder().device("remote") : Loader.builder().device("near"))
                    .transferPath(path).readers(readers).blockBytes(block).deviceBudget(budget);
            if (dtype != null) {
                builder.dtype(dtype);
            }
            this.text = new String[] {"host", "deferred", "remote"}[backend] + " " + path + ", " + options + ", to "
                    + dtype + ", budget " + budget + ", largest " + largest + ", total " + total + ", readers "
                    + readers + ", block " + block + ", -Dfst.seed=" + seed;
        }

        private long bytes(TensorInfo tensor) {
            return target(tensor).byteSize(tensor.shape().elements());
        }

        private DType target(TensorInfo tensor) {
            return dtype != null && tensor.dtype().isFloat() ? dtype : tensor.dtype();
        }

        /// @return whether it was not refused
        boolean run() throws IOException {
            MeteredProvider.peak();
            boolean done = true;
            boolean roomy;
            int mode = random.nextInt(5);
            try (Loader loader = builder.build()) {
                if (mode == 0) {
                    roomy = budget >= total + tensors.size() * 512L + OVERHEAD;
                    load(loader);
                } else if (mode == 1) {
                    roomy = budget >= largest + OVERHEAD;
                    Path copy = directory.resolve("copy-" + seed + ".safetensors");
                    loader.rewrite(source, copy, WriteOptions.defaults());
                    assertEquals(tensors.size(), Safetensors.open(copy).tensors().size(), text);
                } else {
                    roomy = budget >= 2 * largest + OVERHEAD;
                    stream(loader);
                }
            } catch (BudgetException e) {
                done = false;
                roomy = switch (mode) {
                    case 0 -> budget >= total + tensors.size() * 512L + OVERHEAD;
                    case 1 -> budget >= largest + OVERHEAD;
                    default -> budget >= 2 * largest + OVERHEAD;
                };
                assertTrue(!roomy, () -> text + ": " + e.getMessage());
            }
            long peak = MeteredProvider.peak();
            assertTrue(peak <= budget, () -> peak + " bytes: " + text);
            return done;
        }

        private void load(Loader loader) throws IOException {
            try (Weights weights = loader.load(source)) {
                weights.awaitAll();
                for (TensorInfo tensor : tensors) {
                    check(weights.get(tensor.name()));
                }
                told(weights.stats().deviceBytes());
            }
        }

        private void stream(Loader loader) throws IOException {
            Set<String> seen = new HashSet<>();
            List<Tensor> kept = new ArrayList<>();
            long room = Math.max(0, budget - 2 * largest - OVERHEAD);
            long keptBytes = 0;
            try (TensorStream stream = loader.stream(source, options)) {
                for (Tensor tensor : stream) {
                    assertTrue(seen.add(tensor.name()), text);
                    check(tensor);
                    if (random.nextInt(8) == 0) {
                        try (Tensor again = stream.get(tensor.name())) {
                            check(again);
                        }
                    }
                    if (options.owned() && random.nextInt(8) == 0 && keptBytes + tensor.byteSize() <= room) {
                        kept.add(tensor);
                        keptBytes += tensor.byteSize();
                    } else if (options.owned()) {
                        tensor.close();
                    }
                }
                told(stream.stats().deviceBytes());
            }
            assertEquals(tensors.size(), seen.size(), text);
            assertTrue(MeteredProvider.live() <= keptBytes, "owned tensors keep their own bytes only: " + text);
            for (Tensor tensor : kept) {
                check(tensor);
                tensor.close();
            }
        }

        /// What one thread frees while another one allocates may count for a moment longer.
        private void told(long bytes) {
            long peak = MeteredProvider.peakSoFar();
            assertTrue(peak <= bytes && bytes <= budget && bytes <= 2 * peak,
                    () -> peak + " bytes were allocated, told are " + bytes + ": " + text);
        }

        private void check(Tensor tensor) throws IOException {
            TensorInfo info = tensors.stream().filter(t -> t.name().equals(tensor.name())).findFirst().orElseThrow();
            assertEquals(bytes(info), tensor.byteSize(), text);
            if (target(info) == info.dtype()) {
                assertArrayEquals(inFile(info), bytesOf(tensor), () -> info + ": " + text);
            }
        }
    }

    private static byte[] inFile(TensorInfo tensor) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate((int) tensor.byteSize());
        try (FileChannel channel = FileChannel.open(tensor.file().path().orElseThrow())) {
            while (bytes.hasRemaining() && channel.read(bytes, tensor.fileOffset() + bytes.position()) >= 0) {
                // Until all is read.
            }
        }
        return bytes.array();
    }

    private static byte[] bytesOf(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(Math.max(1, tensor.byteSize())).asSlice(0, tensor.byteSize());
            tensor.copyTo(copy);
            return copy.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Test
    void one_batch_at_a_time_with_conversion_stays_within_the_budget() {
        Samples.write(directory.resolve("model.safetensors"), 1, 8, SEED);
        SafetensorsFixture file = SafetensorsFixture.create();
        for (int t = 0; t < 60; t++) {
            file.tensor("t" + t, DType.BF16, Shape.of(50_000), SEED + t);
        }
        file.write(directory.resolve("model.safetensors"));
        long budget = 5_000_000;
        MeteredProvider.peak();
        try (Loader loader = Loader.builder().device("remote").dtype(DType.F32).deviceBudget(budget).readers(8)
                .blockBytes(512 << 10).build();
                TensorStream stream = loader.stream(directory, new StreamOptions(-1, false))) {
            assertEquals(60, stream.stream().count());
            long peak = MeteredProvider.peakSoFar();
            assertTrue(peak <= budget, peak + " bytes under " + budget);
            assertEquals(peak, stream.stats().deviceBytes());
        }
    }

    @Test
    void a_stream_selects_and_asks_once_and_fills_its_batches_with_small_tensors() {
        int files = 5;
        for (int f = 0; f < files; f++) {
            SafetensorsFixture file = SafetensorsFixture.create();
            for (int t = 0; t < 400; t++) {
                file.tensor("f" + f + "." + t, DType.U8, Shape.of(256), SEED + t);
            }
            file.write(directory.resolve("direct-" + f + ".safetensors"));
        }
        AtomicInteger selected = new AtomicInteger();
        RemoteBackend.SUPPORT_CALLS.set(0);
        FaultPlan plan = FaultPlan.seeded(SEED);
        remote = RemoteProvider.behave(plan);
        try (Loader loader = Loader.builder().device("remote").deviceBudget(640_000).readers(1)
                .select(tensor -> selected.incrementAndGet() > 0).build();
                TensorStream stream = loader.stream(directory, new StreamOptions(0, false))) {
            assertEquals(files * 400, stream.stream().count());
        }
        assertEquals(files * 400, selected.get(), "each tensor is selected once");
        assertEquals(files, RemoteBackend.SUPPORT_CALLS.get(), "each file is asked about once");
        // 512,000 bytes in three batches, one buffer for each file of a batch, one slot for each batch.
        assertTrue(plan.calls(Operation.ALLOCATE) <= 12, plan.calls(Operation.ALLOCATE) + " allocations");
    }

    @Test
    void a_load_that_the_host_has_no_memory_for_is_refused_before_the_first_read() throws Exception {
        Samples.write(directory.resolve("model.safetensors"), 4, 1_000_000, SEED);
        Path dump = directory.resolve("dump.jfr");
        MeteredProvider.free = 3_000_000;
        MeteredProvider.peak();
        try (Recording recording = new Recording(); Loader loader = Loader.builder().device("near").build()) {
            for (String event : List.of("fst.Load", "fst.File", "fst.Read")) {
                recording.enable(event).withoutThreshold();
            }
            recording.start();
            OutOfDeviceMemoryException e = assertThrows(OutOfDeviceMemoryException.class, () -> loader.load(directory));
            assertTrue(e.requested() >= 4_000_000 && e.free() == 3_000_000, e.getMessage());
            recording.dump(dump);
            assertEquals(List.of(), RecordingFile.readAllEvents(dump).stream()
                    .filter(event -> event.getEventType().getName().startsWith("fst.")).toList());
            assertEquals(0, MeteredProvider.peak());
            MeteredProvider.free = 20_000_000;
            loader.load(directory).close();
        }
    }

    @Test
    void a_stream_stays_within_what_the_host_has() {
        Samples.write(directory.resolve("model.safetensors"), 20, 1_000_000, SEED);
        MeteredProvider.free = 5_000_000;
        for (long budget : new long[] {1L << 40, Long.MAX_VALUE}) {
            MeteredProvider.peak();
            try (Loader loader = Loader.builder().device("near").deviceBudget(budget).build();
                    TensorStream stream = loader.stream(directory, StreamOptions.defaults())) {
                assertEquals(20, stream.stream().count());
            }
            assertTrue(MeteredProvider.peak() <= 5_000_000);
        }
        MeteredProvider.free = 900_000;
        try (Loader loader = Loader.builder().device("near").build()) {
            assertThrows(OutOfDeviceMemoryException.class, () -> loader.stream(directory, StreamOptions.defaults()));
        }
    }

    @Test
    void kept_tensors_keep_their_own_bytes_only() {
        int bytes = 10_000;
        Samples.write(directory.resolve("model.safetensors"), 400, bytes, SEED);
        long budget = 1_000_000;
        MeteredProvider.peak();
        List<Tensor> kept = new ArrayList<>();
        try (Loader loader = Loader.builder().device("near").deviceBudget(budget).build()) {
            try (TensorStream stream = loader.stream(directory, new StreamOptions(1, true))) {
                int count = 0;
                for (Tensor tensor : stream) {
                    if (count++ % 8 == 0) {
                        kept.add(tensor);
                    } else {
                        tensor.close();
                    }
                }
                assertEquals(400, count);
                assertEquals(MeteredProvider.peakSoFar(), stream.stats().deviceBytes());
            }
            assertEquals(50L * bytes, MeteredProvider.live());
            assertTrue(MeteredProvider.peak() <= budget);
        }
        kept.forEach(Tensor::close);
    }

    @Test
    @Tag("slow")
    void owned_tensors_that_leave_no_room_are_an_error_and_no_hang() {
        Samples.write(directory.resolve("model.safetensors"), 100, 10_000, SEED);
        long budget = 300_000;
        MeteredProvider.peak();
        List<Tensor> kept = new ArrayList<>();
        try (Loader loader = Loader.builder().device("near").deviceBudget(budget).build();
                TensorStream stream = loader.stream(directory, new StreamOptions(1, true))) {
            BudgetException e = assertThrows(BudgetException.class, () -> stream.forEach(kept::add));
            assertTrue(e.getMessage().contains("owned tensors that are still open count"), e.getMessage());
            assertTrue(kept.size() * 10_000L > budget / 2, kept.size() + " tensors");
        }
        kept.forEach(Tensor::close);
        long peak = MeteredProvider.peak();
        assertTrue(peak <= budget, peak + " bytes");
    }

    @Test
    void who_closes_owned_tensors_on_another_thread_is_waited_for() throws InterruptedException {
        Samples.write(directory.resolve("model.safetensors"), 100, 10_000, SEED);
        try (Loader loader = Loader.builder().device("near").deviceBudget(200_000).build();
                TensorStream stream = loader.stream(directory, new StreamOptions(0, true))) {
            List<Thread> workers = new ArrayList<>();
            for (Tensor tensor : stream) {
                workers.add(Thread.ofVirtual().start(() -> {
                    Thread.yield();
                    tensor.close();
                }));
            }
            assertEquals(100, workers.size());
            for (Thread worker : workers) {
                worker.join();
            }
        }
    }
}

package io.fastsafetensors.storage.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The requests of loads: how many, for how much, how many at a time.
@Timeout(120)
class RemoteLoadTest {
    private static final String PATH = "/m.safetensors";
    private static final int BLOCK = 1 << 16;

    @TempDir
    Path folder;

    private final RangeServer server = new RangeServer();

    @AfterEach
    void close() {
        server.close();
    }

    private byte[] put(TensorSource... tensors) throws IOException {
        Path file = Safetensors.write(folder.resolve("m.safetensors"), List.of(tensors), WriteOptions.defaults())
                .getFirst();
        byte[] content = Files.readAllBytes(file);
        server.put(PATH, content);
        return content;
    }

    private static TensorSource tensor(String name, int rows, int columns) {
        return TensorSource.of(name, DType.U8, Shape.of(rows, columns), Remote.bytes(rows * columns));
    }

    private Location location() {
        return Location.of(server.address() + PATH);
    }

    private static LoaderBuilder builder() {
        return Loader.builder().blockBytes(BLOCK);
    }

    private List<long[]> ranges() {
        return server.requests.stream().map(request -> request.header("range").substring("bytes=".length()).split("-"))
                .map(ends -> new long[] {Long.parseLong(ends[0]), Long.parseLong(ends[1]) + 1}).toList();
    }

    private long fetched() {
        long sum = ranges().stream().mapToLong(range -> range[1] - range[0]).sum();
        server.requests.clear();
        return sum;
    }

    @Test
    void one_expert_of_eight_and_one_slice_fetch_little_more_than_themselves() throws Exception {
        List<TensorSource> tensors = new ArrayList<>();
        for (int layer = 0; layer < 4; layer++) {
            for (int expert = 0; expert < 8; expert++) {
                tensors.add(tensor("layers." + layer + ".experts." + expert + ".w", 300 + expert, 1000));
            }
        }
        put(tensors.toArray(TensorSource[]::new));
        try (Loader loader = builder().build();
                Weights weights = loader.load(location(), Selection.glob("*.experts.3.*"))) {
            weights.awaitAll();
            long wanted = 4 * 303 * 1000;
            long fetched = fetched();
            assertTrue(fetched >= wanted && fetched <= wanted * 1.02 + BLOCK, fetched + " of " + wanted);
        }
        try (Tensor slice = Safetensors.open(location()).read("layers.2.experts.5.w", Slice.range(100, 200))) {
            assertEquals(100_000, slice.byteSize());
            long fetched = fetched();
            assertTrue(fetched <= 100_000 * 1.02 + BLOCK, fetched + " bytes");
        }
    }

    @Test
    void three_ranks_fetch_each_byte_of_the_tensors_once() throws Exception {
        byte[] content = put(tensor("a", 1000, 999), tensor("b", 77, 1003), tensor("c", 500, 1000));
        List<ProcessGroup> groups = ProcessGroups.local(3, Duration.ofSeconds(60));
        ExecutorService ranks = Executors.newFixedThreadPool(3);
        try {
            List<Future<String>> loads = new ArrayList<>();
            for (ProcessGroup group : groups) {
                Callable<String> load = () -> {
                    try (Loader loader = builder().group(group).build(); Weights weights = loader.load(location())) {
                        weights.awaitAll();
                        return CachedLoad.digest(weights);
                    }
                };
                loads.add(ranks.submit(load));
            }
            String expected = CachedLoad.digest(folder.resolve("m.safetensors").toString(), builder(),
                    Selection.all());
            for (Future<String> load : loads) {
                assertEquals(expected, load.get());
            }
        } finally {
            ranks.shutdown();
            groups.forEach(ProcessGroup::close);
        }
        int[] times = new int[content.length];
        ranges().forEach(range -> {
            for (long at = range[0]; at < range[1]; at++) {
                times[(int) at]++;
            }
        });
        long header = Safetensors.open(folder.resolve("m.safetensors")).tensors().stream()
                .mapToLong(tensor -> tensor.fileOffset()).min().orElseThrow();
        for (int at = (int) header; at < content.length; at++) {
            assertEquals(1, times[at], "byte " + at);
        }
    }

    @Test
    void requests_in_flight_grow_while_that_makes_the_load_faster() throws Exception {
        put(tensor("a", 600, 1 << 16));
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        server.behaviour = request -> {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
            Thread.sleep(50);
            now.decrementAndGet();
            return null;
        };
        try (Loader loader = builder().build(); Weights weights = loader.load(location())) {
            weights.awaitAll();
            assertTrue(weights.stats().readers() >= 32, weights.stats()::toString);
        }
        assertTrue(most.get() >= 32, most + " requests at a time");
    }

    @Test
    void a_number_of_readers_that_is_asked_for_stays() throws Exception {
        put(tensor("a", 40, 1 << 16));
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        server.behaviour = request -> {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
            Thread.sleep(5);
            now.decrementAndGet();
            return null;
        };
        try (Loader loader = builder().readers(3).build(); Weights weights = loader.load(location())) {
            weights.awaitAll();
            assertEquals(3, weights.stats().readers());
        }
        assertTrue(most.get() <= 3, most + " requests at a time");
    }

    @Test
    void reports_and_recordings_tell_requests_retries_and_waits() throws Exception {
        put(tensor("a", 10, 1 << 16));
        AtomicInteger failures = new AtomicInteger(3);
        server.behaviour = request -> !request.header("range").equals("bytes=0-0") && failures.getAndDecrement() > 0
                ? Answer.of(503) : null;
        Path file = folder.resolve("requests.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("fst.Request");
            recording.start();
            try (Loader loader = builder().storageProperty("http.retryDelay", "0.001").build();
                    Weights weights = loader.load(location())) {
                weights.awaitAll();
                String report = weights.stats().storage().toString();
                assertTrue(report.matches("(?s).*\\d+ requests, 3 retries, \\d+ bytes, first byte after [\\d.]+ ms.*"),
                        report);
            }
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().equals("fst.Request")).toList();
        assertEquals(server.requests.size(), events.stream().mapToInt(event -> event.getInt("tries")).sum());
        assertTrue(events.stream().mapToLong(event -> event.getLong("bytes")).sum() >= 10 << 16);
        assertTrue(events.stream().allMatch(event -> event.getLong("firstByteNanos") > 0
                && event.getString("server").equals(server.address())
                && event.getString("outcome").equals("done")));
    }
}

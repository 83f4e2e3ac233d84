package io.fastsafetensors.storage.http;

import static io.fastsafetensors.storage.http.CachedLoad.builder;
import static io.fastsafetensors.storage.http.CachedLoad.digest;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Namespaces;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The cache of remote files: what it spares, and that nothing that happens to it makes wrong bytes or a failed load.
@Timeout(300)
class CacheTest {
    private static final int TENSORS = 16;
    private static final int TENSOR_BYTES = 200_000;
    private static final String PATH = "/m/model.safetensors";
    private static final String LARGE = "1GiB";
    private static final int KILLS = Integer.getInteger("fst.kills", 20);

    @TempDir
    Path folder;

    private final RangeServer server = new RangeServer();
    private Path cache = Path.of("");
    private byte[] content = {};
    private String expected = "";

    @BeforeEach
    void serve() throws IOException {
        cache = folder.resolve("cache");
        put(1);
    }

    private void put(int version) throws IOException {
        RandomGenerator random = Seed.random("cache" + version);
        List<TensorSource> tensors = new ArrayList<>();
        for (int i = 0; i < TENSORS; i++) {
            byte[] bytes = new byte[TENSOR_BYTES + i * 8];
            random.nextBytes(bytes);
            tensors.add(TensorSource.of("t" + i, DType.U8, Shape.of(bytes.length), bytes));
        }
        Path file = Safetensors.write(folder.resolve("v" + version + ".safetensors"), tensors, WriteOptions.defaults())
                .getFirst();
        content = Files.readAllBytes(file);
        server.put(PATH, content);
        expected = digest(file.toString(), Loader.builder(), Selection.all());
    }

    @AfterEach
    void close() {
        server.close();
    }

    private String address() {
        return server.address() + PATH;
    }

    /// The bytes that were asked for since the last call, but for the first byte of a file, by which its version is known.
    private long fetched() {
        long sum = server.requests.stream().map(request -> request.header("range").substring("bytes=".length()))
                .filter(range -> !range.equals("0-0")).map(range -> range.split("-"))
                .mapToLong(ends -> Long.parseLong(ends[1]) - Long.parseLong(ends[0]) + 1).sum();
        server.requests.clear();
        return sum;
    }

    private Path file(String suffix) throws IOException {
        try (Stream<Path> files = Files.list(cache)) {
            return files.filter(each -> each.toString().endsWith(suffix)).findFirst().orElseThrow();
        }
    }

    private long held() {
        return Diagnostics.cache(OpenOptions.defaults().withStorageProperty("cache.directory", cache.toString()))
                .stream().mapToLong(Diagnostics.CachedFile::heldBytes).sum();
    }

    @Test
    void a_second_load_fetches_nothing() {
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(content.length, fetched());
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(0, fetched());
        assertEquals(expected, digest(address(), CachedLoad.builder(cache, LARGE).blockBytes(100_000),
                Selection.all()), "blocks that lie otherwise");
        assertEquals(0, fetched());
        try (Loader loader = builder(cache, LARGE).build(); Weights weights = loader.load(Location.of(address()))) {
            weights.awaitAll();
            String report = weights.stats().storage().toString();
            assertTrue(report.contains(cache.toString()), report);
        }
    }

    @Test
    void only_what_is_missing_is_fetched() {
        Selection some = Selection.glob("t3", "t7");
        String part = digest(address(), builder(cache, LARGE), some);
        long first = fetched();
        assertTrue(first >= 2 * TENSOR_BYTES && first < 3 * TENSOR_BYTES, first + " bytes");
        assertEquals(part, digest(address(), builder(cache, LARGE), some));
        assertEquals(0, fetched());
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(content.length - first, fetched());
    }

    @Test
    void another_version_is_another_entry() throws Exception {
        digest(address(), cache, LARGE);
        put(2);
        fetched();
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(content.length, fetched());
    }

    @Test
    void what_has_no_strong_tag_is_not_kept() throws Exception {
        server.behaviour = request -> {
            RangeServer.Answer usual = server.usual(request);
            return request.header("if-match").isEmpty() ? usual.with("ETag", "W/\"weak\"") : usual;
        };
        assertEquals(expected, digest(address(), cache, LARGE));
        put(2);
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(0, held());
    }

    @Test
    void flipped_bytes_are_found_and_fetched_again() throws Exception {
        digest(address(), cache, LARGE);
        RandomGenerator random = Seed.random("flip");
        for (int round = 0; round < 5; round++) {
            fetched();
            try (FileChannel data =
                    FileChannel.open(file(".data"), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                long at = random.nextLong(content.length);
                ByteBuffer one = ByteBuffer.allocate(1);
                data.read(one, at);
                data.write(one.put(0, (byte) (one.get(0) ^ 1 << random.nextInt(8))).flip(), at);
            }
            assertEquals(expected, digest(address(), cache, LARGE), () -> "a flipped bit" + Seed.note());
            long again = fetched();
            assertTrue(again > 0 && again <= 3 << 16, () -> again + " bytes" + Seed.note());
            assertEquals(expected, digest(address(), cache, LARGE));
            assertEquals(0, fetched());
        }
    }

    @Test
    void a_truncated_copy_is_fetched_again() throws Exception {
        digest(address(), cache, LARGE);
        for (long length : List.of(content.length - 1L, content.length / 2L, 0L)) {
            try (FileChannel data = FileChannel.open(file(".data"), StandardOpenOption.WRITE)) {
                data.truncate(length);
            }
            assertEquals(expected, digest(address(), cache, LARGE));
            fetched();
            assertEquals(expected, digest(address(), cache, LARGE));
            assertEquals(0, fetched());
        }
    }

    @Test
    void a_copy_that_is_truncated_while_it_is_open_is_fetched_again() throws Exception {
        digest(address(), cache, LARGE);
        fetched();
        try (Loader loader = builder(cache, LARGE).build()) {
            try (Weights weights = loader.load(Location.of(address()), Selection.glob("t0"))) {
                weights.awaitAll();
                try (FileChannel data = FileChannel.open(file(".data"), StandardOpenOption.WRITE)) {
                    data.truncate(content.length / 2);
                }
            }
            try (Weights weights = loader.load(Location.of(address()))) {
                weights.awaitAll();
                assertEquals(expected, digest(weights));
            }
        }
    }

    @Test
    void lists_that_are_cut_or_damaged_cost_only_requests() throws Exception {
        digest(address(), cache, LARGE);
        byte[] list = Files.readAllBytes(file(".parts"));
        RandomGenerator random = Seed.random("list");
        for (int round = 0; round < 9; round++) {
            byte[] damaged = list.clone();
            int length = damaged.length;
            switch (round % 3) {
                case 0 -> length = random.nextInt(damaged.length);
                case 1 -> damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
                default -> random.nextBytes(damaged);
            }
            Files.write(file(".parts"), Arrays.copyOf(damaged, length));
            assertEquals(expected, digest(address(), cache, LARGE), () -> "a damaged list" + Seed.note());
        }
        fetched();
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(0, fetched());
    }

    @Test
    void a_copy_that_is_missing_is_made_again() throws Exception {
        digest(address(), cache, LARGE);
        Files.delete(file(".data"));
        assertEquals(expected, digest(address(), cache, LARGE));
        Files.delete(file(".parts"));
        assertEquals(expected, digest(address(), cache, LARGE));
        fetched();
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(0, fetched());
    }

    @Test
    void a_cache_that_cannot_be_written_fails_no_load() throws Exception {
        Files.writeString(folder.resolve("file"), "no directory");
        for (Path place : List.of(folder.resolve("file"), Path.of("/proc/self/fst-cache"))) {
            assertEquals(expected, digest(address(), place, LARGE));
        }
    }

    @Test
    void the_bound_holds_and_the_oldest_go_first() throws Exception {
        long bound = 4L * content.length;
        for (int version = 2; version < 8; version++) {
            put(version);
            assertEquals(expected, digest(address(), cache, Long.toString(bound)));
            assertTrue(held() <= bound, () -> held() + " bytes of " + bound);
            fetched();
            assertEquals(expected, digest(address(), cache, Long.toString(bound)));
            assertEquals(0, fetched(), "the newest is kept");
        }
    }

    @Test
    void a_checkpoint_larger_than_the_bound_is_kept_in_part() throws Exception {
        long bound = content.length / 2;
        assertEquals(expected, digest(address(), cache, Long.toString(bound)));
        assertTrue(held() <= bound && held() > bound / 4, () -> held() + " bytes of " + bound);
        fetched();
        assertEquals(expected, digest(address(), cache, Long.toString(bound)));
        long second = fetched();
        assertTrue(second < content.length * 3L / 4, () -> second + " bytes of " + content.length);
    }

    @Test
    void the_cache_is_off_unless_somebody_asks_for_it() {
        assertEquals(expected, digest(address(), Loader.builder(), Selection.all()));
        assertEquals(expected, digest(address(), builder(cache, LARGE).storageProperty("cache", "off"),
                Selection.all()));
        assertTrue(Files.notExists(cache));
        ConfigException refused = Assertions.assertThrows(ConfigException.class,
                () -> digest(address(), builder(cache, "much"), Selection.all()));
        assertTrue(refused.getMessage().contains("cache.bytes"), refused.getMessage());
    }

    @Test
    void pruning_keeps_what_was_used_last() throws Exception {
        for (int version = 1; version < 4; version++) {
            put(version);
            digest(address(), cache, LARGE);
        }
        OpenOptions options = OpenOptions.defaults().withStorageProperty("cache.directory", cache.toString());
        List<Diagnostics.CachedFile> all = Diagnostics.cache(options);
        assertEquals(3, all.size());
        assertEquals(address(), all.getFirst().location());
        long left = Diagnostics.pruneCache(options, content.length * 3L / 2);
        assertEquals(List.of(all.getFirst()), Diagnostics.cache(options));
        assertEquals(all.getFirst().heldBytes(), left);
        assertEquals(0, Diagnostics.pruneCache(options, 0));
        try (Stream<Path> files = Files.list(cache)) {
            assertEquals(List.of(), files.filter(each -> !each.endsWith("lock")).toList());
        }
    }

    @Test
    void secrets_of_addresses_are_not_written_down() throws Exception {
        server.put("/signed", content);
        server.behaviour = request -> request.target().contains("s3cret") ? null : RangeServer.Answer.of(403);
        String signed = server.address() + "/signed?X-Signature=s3cret";
        assertEquals(expected, digest(signed, cache, LARGE));
        String list = new String(Files.readAllBytes(file(".parts")), StandardCharsets.ISO_8859_1);
        assertTrue(list.contains("/signed") && !list.contains("s3cret"), list);
    }

    private ChildProcess filler(Path place, String bytes) {
        return ChildProcess.java(CachedLoad.class, address(), place, bytes).options("-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "-Xmx128m");
    }

    @Test
    @Tag("slow")
    void two_processes_fill_one_cache() throws Exception {
        for (int version = 2; version < 5; version++) {
            put(version);
            List<ChildProcess.Running> fillers = new ArrayList<>();
            try {
                for (int i = 0; i < 3; i++) {
                    fillers.add(filler(cache, LARGE).start());
                }
                for (ChildProcess.Running filler : fillers) {
                    assertEquals(expected, filler.end().withStatus(0).lines().getLast());
                }
            } finally {
                fillers.forEach(ChildProcess.Running::close);
            }
            fetched();
            assertEquals(expected, digest(address(), cache, LARGE));
            assertEquals(0, fetched());
        }
    }

    @Test
    @Tag("slow")
    void a_process_may_be_killed_at_any_moment() throws Exception {
        RandomGenerator random = Seed.random("kill");
        long bound = 6L * content.length;
        int inTheMiddle = 0;
        for (int round = 0; round < KILLS; round++) {
            put(round + 2);
            try (ChildProcess.Running filler = filler(cache, Long.toString(bound)).start()) {
                filler.awaitLine("loading");
                int requests = random.nextInt(content.length >> 16);
                while (filler.isAlive() && server.requests.size() < requests) {
                    Thread.sleep(1);
                }
                filler.kill();
                filler.end();
            }
            fetched();
            assertEquals(expected, digest(address(), cache, Long.toString(bound)), () -> "after a kill" + Seed.note());
            long again = fetched();
            inTheMiddle += again > 0 && again < content.length ? 1 : 0;
            assertTrue(held() <= bound + bound / 16, () -> held() + " bytes of " + bound);
            assertEquals(expected, digest(address(), cache, Long.toString(bound)));
            assertEquals(0, fetched());
        }
        int killed = inTheMiddle;
        assertTrue(killed >= KILLS / 10,
                () -> "of " + KILLS + " kills only " + killed + " came while parts were being written");
    }

    private void loadOn(List<String> command, Path place) {
        String said = filler(place, LARGE).under(command).run().succeeded().output();
        assertEquals(expected, said.lines().filter(line -> line.matches("[0-9a-f]{64}")).findFirst().orElse(""), said);
        assertEquals(1, said.split("the load goes on without it", -1).length - 1, said);
    }

    @Test
    @Tag("slow")
    void a_full_disk_fails_no_load() throws Exception {
        Path small = Files.createDirectories(folder.resolve("small"));
        List<String> command = Namespaces.command();
        command.addAll(List.of("sh", "-c", "mount -t tmpfs -o size=1m fst \"$0\" && exec \"$@\"", small.toString()));
        loadOn(command, small.resolve("cache"));
    }

    @Test
    void a_limit_for_files_fails_no_load() {
        // Copies are as long as the file from their beginning: the limit is met when the entry is made, or by its list.
        String said = filler(cache, LARGE).under(List.of("sh", "-c", "ulimit -f 2 && exec \"$@\"", "sh")).run()
                .succeeded().output();
        assertTrue(said.contains(expected), said);
    }

    @Test
    void many_loads_of_one_process_share_it() throws Exception {
        List<Thread> threads = IntStream.range(0, 4).mapToObj(_ -> new Thread(() -> {
            String found = digest(address(), cache, LARGE);
            synchronized (threadResults) {
                threadResults.add(found);
            }
        })).toList();
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of(expected, expected, expected, expected), threadResults);
        fetched();
        assertEquals(expected, digest(address(), cache, LARGE));
        assertEquals(0, fetched());
        assertNotEquals("", expected);
    }

    private final List<String> threadResults = new ArrayList<>();
}

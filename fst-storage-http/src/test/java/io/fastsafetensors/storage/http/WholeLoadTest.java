package io.fastsafetensors.storage.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.test.SampleFiles;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Checkpoints loaded over HTTP and S3 from servers of which one answer in 20 fails, is late or is cut.
class WholeLoadTest {
    @TempDir
    Path cache;

    private final RangeServer server = new RangeServer();

    @AfterEach
    void close() {
        server.close();
    }

    @Test
    void the_corpus_has_its_digests_over_http() throws Exception {
        load("/corpus", server.address() + "/corpus", Map.of());
    }

    @Test
    void the_corpus_has_its_digests_over_s3() throws Exception {
        load("/bucket/corpus", "s3://bucket/corpus",
                Map.of("fst.s3.endpoint", server.address(), "fst.s3.accessKeyId", "A", "fst.s3.secretAccessKey", "B"));
    }

    @Test
    void the_corpus_has_its_digests_through_the_cache() throws Exception {
        Map<String, String> settings = Map.of("fst.cache.directory", cache.toString());
        load("/corpus", server.address() + "/corpus", settings);
        // What the cache has by now is enough.
        server.behaviour = request -> request.header("range").equals("bytes=0-0") ? null : Answer.of(500);
        with(settings, () -> check(server.address() + "/corpus"));
    }

    @Test
    void a_directory_with_an_index_is_loaded_over_s3() throws Exception {
        Path sharded = SampleFiles.folder().resolve("julia_sharded");
        put(sharded, "/bucket/m");
        server.behaviour = request -> S3Server.list(server, request, 1);
        Map<String, String> settings = Map.of("fst.s3.endpoint", server.address(), "fst.s3.anonymous", "true");
        with(settings, () -> {
            try (Loader loader = Loader.builder().build(); Weights here = loader.load(sharded);
                    Weights there = loader.load(Location.of("s3://bucket/m"))) {
                assertEquals(here.names(), there.names());
                assertTrue(!here.names().isEmpty());
                for (String name : here.names()) {
                    assertEquals(digest(here.get(name).segment()), digest(there.get(name).segment()), name);
                }
            }
        });
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void with(Map<String, String> properties, Work work) throws Exception {
        properties.forEach(System::setProperty);
        try {
            work.run();
        } finally {
            properties.keySet().forEach(System::clearProperty);
        }
    }

    private void put(Path from, String to) throws IOException {
        try (Stream<Path> tree = Files.walk(from)) {
            for (Path file : tree.filter(Files::isRegularFile).toList()) {
                server.put(to + "/" + from.relativize(file), Files.readAllBytes(file));
            }
        }
    }

    private void load(String path, String address, Map<String, String> settings) throws Exception {
        put(SampleFiles.folder(), path);
        RandomGenerator random = Seed.random("load");
        server.behaviour = request -> {
            double dice;
            synchronized (random) {
                dice = random.nextDouble();
            }
            return dice < 0.02 ? Answer.of(503) : dice < 0.04 ? server.usual(request).cutAfter((long) (dice * 100_000))
                    : null;
        };
        with(settings, () -> check(address));
    }

    private static void check(String address) throws IOException {
        List<String> lines = Files.readAllLines(SampleFiles.folder().resolve("GOLDEN.tsv"));
        int tensors = 0;
        try (Loader loader = Loader.builder().blockBytes(1 << 16).build()) {
            for (int at = 1; at < lines.size();) {
                String file = lines.get(at).split("\t")[0];
                try (Weights weights = loader.load(Location.of(address + "/" + file))) {
                    for (; at < lines.size() && lines.get(at).startsWith(file + "\t"); at++) {
                        String[] field = lines.get(at).split("\t");
                        String name = field[1].substring(1, field[1].length() - 1);
                        assertEquals(field[6], digest(weights.get(name).segment()),
                                () -> file + " " + name + Seed.note());
                        tensors++;
                    }
                }
            }
        }
        assertTrue(tensors > 1000, tensors + " tensors");
    }

    private static String digest(MemorySegment bytes) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            sha.update(bytes.asByteBuffer());
            return HexFormat.of().formatHex(sha.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}

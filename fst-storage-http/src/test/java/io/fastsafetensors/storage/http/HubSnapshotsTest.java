package io.fastsafetensors.storage.http;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.storage.http.RangeServer.Request;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Loads from a hub: what they leave in the cache of its tools, and what is checked.
class HubSnapshotsTest {
    private static final String COMMIT = "c".repeat(40);
    private static final String SMALL = "d".repeat(40);
    private static final Location MODEL = Location.of("hf:org/model");

    @TempDir
    Path home;

    private final RangeServer hub = new RangeServer();
    private Path cache = Path.of("");
    private byte[] content = {};
    private byte[] index = {};
    private String digest = "";

    @BeforeEach
    void serve() throws Exception {
        cache = home.resolve("hub");
        Path file = Safetensors.write(home.resolve("m.safetensors"), List.of(
                TensorSource.of("a", DType.U8, Shape.of(300_000), Remote.bytes(300_000)),
                TensorSource.of("b", DType.U8, Shape.of(100_000), Remote.bytes(100_000))), WriteOptions.defaults())
                .getFirst();
        content = Files.readAllBytes(file);
        index = ("{\"metadata\":{},\"weight_map\":{\"a\":\"model-00001-of-00001.safetensors\","
                + "\"b\":\"model-00001-of-00001.safetensors\"}}").getBytes();
        digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        hub.put("/org/model/resolve/" + COMMIT + "/model-00001-of-00001.safetensors", content);
        hub.put("/org/model/resolve/" + COMMIT + "/model.safetensors.index.json", index);
        hub.behaviour = this::answer;
    }

    @AfterEach
    void close() {
        hub.close();
    }

    private @Nullable Answer answer(Request request) {
        if (request.target().equals("/api/models/org/model/revision/main")) {
            return Answer.of(200).body("{\"sha\":\"" + COMMIT + "\"}");
        }
        return request.target().startsWith("/api/models/org/model/tree/" + COMMIT) ? Answer.of(200).body(
                "[{\"type\":\"file\",\"path\":\"model-00001-of-00001.safetensors\",\"oid\":\"" + "e".repeat(40)
                        + "\",\"lfs\":{\"oid\":\"" + digest + "\",\"size\":1}},"
                        + "{\"type\":\"file\",\"path\":\"model.safetensors.index.json\",\"oid\":\"" + SMALL + "\"}]")
                : null;
    }

    private LoaderBuilder builder() {
        return Loader.builder().storageProperty("hf.endpoint", hub.address())
                .storageProperty("hf.cache", cache.toString()).storageProperty("http.retryDelay", "0.001");
    }

    private String load(LoaderBuilder builder) {
        return CachedLoad.digest(MODEL.address(), builder, Selection.all());
    }

    private Path repository() {
        return cache.resolve("models--org--model");
    }

    private Path snapshot() {
        return repository().resolve("snapshots").resolve(COMMIT);
    }

    private List<Path> files(Path below) throws IOException {
        try (Stream<Path> all = Files.walk(below)) {
            return all.filter(each -> !Files.isDirectory(each)).map(below::relativize).sorted().toList();
        }
    }

    @Test
    void a_load_fills_the_layout_of_the_hubs_tools() throws Exception {
        String first = load(builder());
        assertEquals(List.of("blobs/" + SMALL, "blobs/" + digest, "refs/main",
                "snapshots/" + COMMIT + "/model-00001-of-00001.safetensors",
                "snapshots/" + COMMIT + "/model.safetensors.index.json").stream().sorted().toList(),
                files(repository()).stream().map(Path::toString).sorted().toList());
        assertEquals(COMMIT, Files.readString(repository().resolve("refs/main")));
        Path link = snapshot().resolve("model-00001-of-00001.safetensors");
        assertEquals(Path.of("../../blobs/" + digest), Files.readSymbolicLink(link));
        assertArrayEquals(content, Files.readAllBytes(link));
        assertEquals(List.of(), files(home.resolve("hub-parts")).stream().filter(each -> !each.endsWith("lock"))
                .toList(), "what is whole is kept once");
        hub.requests.clear();
        assertEquals(first, load(builder()));
        assertTrue(hub.requests.stream().allMatch(request -> request.target().startsWith("/api/")),
                hub.requests::toString);
        hub.requests.clear();
        assertEquals(first, load(builder().storageProperty("hf.offline", "1")));
        assertEquals(List.of(), hub.requests);
    }

    @Test
    void what_is_not_whole_is_continued_by_the_next_load() throws Exception {
        CachedLoad.digest(MODEL.address(), builder(), Selection.glob("b"));
        assertTrue(Files.notExists(snapshot().resolve("model-00001-of-00001.safetensors")));
        hub.requests.clear();
        load(builder());
        long again = hub.requests.stream().filter(request -> request.target().endsWith(".safetensors"))
                .map(request -> request.header("range").substring("bytes=".length()).split("-"))
                .mapToLong(ends -> Long.parseLong(ends[1]) - Long.parseLong(ends[0]) + 1).sum();
        assertTrue(again < 310_000, again + " bytes");
        assertArrayEquals(content, Files.readAllBytes(snapshot().resolve("model-00001-of-00001.safetensors")));
    }

    @Test
    void bytes_that_were_lost_meanwhile_do_not_get_into_the_hubs_cache() throws Exception {
        CachedLoad.digest(MODEL.address(), builder(), Selection.glob("a"));
        Path data;
        try (Stream<Path> all = Files.list(home.resolve("hub-parts"))) {
            data = all.filter(each -> each.toString().endsWith(".data") && each.toFile().length() == content.length)
                    .findFirst().orElseThrow();
        }
        byte[] lost = Files.readAllBytes(data);
        Arrays.fill(lost, 100_000, 150_000, (byte) 0);
        Files.write(data, lost);
        CachedLoad.digest(MODEL.address(), builder(), Selection.glob("b"));
        assertTrue(Files.notExists(snapshot().resolve("model-00001-of-00001.safetensors")));
        load(builder());
        assertArrayEquals(content, Files.readAllBytes(snapshot().resolve("model-00001-of-00001.safetensors")));
    }

    @Test
    void a_checkpoint_that_was_opened_before_stays_the_same_version() {
        OpenOptions options = builder().options().open();
        Checkpoint checkpoint = Safetensors.open(MODEL, options);
        load(builder());
        try (Tensor tensor = checkpoint.read("b")) {
            assertEquals(100_000, tensor.byteSize());
        }
    }

    @Test
    void the_digest_of_the_hub_is_compared_when_asked() throws Exception {
        load(builder().storageProperty("hf.sha256", "true"));
        load(builder().storageProperty("hf.sha256", "true").storageProperty("hf.offline", "true"));
        byte[] other = content.clone();
        other[other.length - 1] ^= 1;
        Files.write(repository().resolve("blobs").resolve(digest), other);
        StorageException cached =
                assertThrows(StorageException.class, () -> load(builder().storageProperty("hf.sha256", "true")));
        assertTrue(String.valueOf(cached.getMessage()).contains("SHA-256"), cached.getMessage());
    }

    @Test
    void content_that_is_not_the_hubs_fails_the_load_and_is_not_kept() throws Exception {
        digest = "0".repeat(64);
        StorageException wrong =
                assertThrows(StorageException.class, () -> load(builder().storageProperty("hf.sha256", "true")));
        assertTrue(String.valueOf(wrong.getMessage()).contains("SHA-256"), wrong.getMessage());
        assertTrue(Files.notExists(repository().resolve("blobs").resolve(digest)));
        assertTrue(files(home.resolve("hub-parts")).stream().noneMatch(each -> each.toString().endsWith(".data")));
    }

    @Test
    void nothing_is_kept_where_the_cache_is_off() throws Exception {
        load(builder().storageProperty("cache", "off"));
        assertTrue(Files.notExists(cache));
        assertTrue(Files.notExists(home.resolve("hub-parts")));
    }
}

package io.fastsafetensors.storage.http;

import static io.fastsafetensors.storage.http.Remote.assertContent;
import static io.fastsafetensors.storage.http.Remote.assertSays;
import static io.fastsafetensors.storage.http.Remote.bytes;
import static io.fastsafetensors.storage.http.Remote.failure;
import static io.fastsafetensors.storage.http.Remote.quick;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.storage.http.RangeServer.Request;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A hub that pins, lists by pages and redirects to another server, as the real one does, and the cache of its tools.
class HubTest {
    private static final String ONE = "1".repeat(40);
    private static final String TWO = "2".repeat(40);
    private static final Location MODEL = Location.of("hf:org/model");

    @TempDir
    Path home;

    private final RangeServer hub = new RangeServer();
    private final RangeServer blobs = new RangeServer();
    private final byte[] content = bytes(60_000);
    private final Map<String, String> environment = new HashMap<>();
    private final AtomicInteger signature = new AtomicInteger();
    private volatile String main = ONE;

    HubTest() {
        environment.put("HF_ENDPOINT", hub.address());
        hub.behaviour = this::answer;
        for (String commit : List.of(ONE, TWO)) {
            blobs.put("/" + commit + "/model.safetensors", content);
            blobs.put("/" + commit + "/sub%20dir/a.json", "{}".getBytes());
        }
        blobs.behaviour = request -> request.target().endsWith("?X-Signature=s3cret" + signature.get()) ? null
                : Answer.of(403).body("expired");
    }

    private @Nullable Answer answer(Request request) {
        String target = request.target();
        if (target.equals("/api/models/org/model/revision/main")) {
            return Answer.of(200).body("{\"id\":\"org/model\",\"sha\":\"" + main + "\",\"siblings\":[]}").inChunks();
        }
        if (target.equals("/api/models/org/model/tree/" + main + "?recursive=true")) {
            return Answer.of(200, "Link", "<" + hub.address() + target + "&cursor=x>; rel=\"next\"")
                    .body("[{\"type\":\"file\",\"path\":\"model.safetensors\",\"size\":60000,\"lfs\":{\"oid\":\"a\"}}]");
        }
        if (target.equals("/api/models/org/model/tree/" + main + "?recursive=true&cursor=x")) {
            return Answer.of(200).body("[{\"type\":\"directory\",\"path\":\"sub dir\",\"size\":0},"
                    + "{\"type\":\"file\",\"path\":\"sub dir/a.json\",\"size\":2}]");
        }
        if (target.startsWith("/org/model/resolve/")) {
            return Answer.of(302, "Location", blobs.address() + target.substring("/org/model/resolve".length())
                    + "?X-Signature=s3cret" + signature.get(), "X-Linked-ETag", "\"abc\"");
        }
        return target.contains("/private") ? Answer.of(401, "X-Error-Code", "RepoNotFound") : Answer.of(404);
    }

    @AfterEach
    void close() {
        hub.close();
        blobs.close();
    }

    private Storage open(String... properties) {
        environment.putIfAbsent("HOME", home.toString());
        return new HubStorageProvider(environment::get).open(StorageOptions.of(quick(properties)));
    }

    @Test
    void a_revision_is_pinned_by_the_first_answer() {
        try (Storage storage = open()) {
            Location pinned = storage.pin(MODEL);
            assertEquals(Location.of("hf:org/model@" + ONE), pinned);
            main = TWO;
            assertEquals(pinned, storage.pin(MODEL));
            assertEquals(pinned, storage.pin(pinned));
            assertEquals(Location.of("hf:org/model@" + ONE + "/sub%20dir/a.json"),
                    storage.pin(Location.of("hf:org/model@main/sub%20dir/a.json")));
            try (StorageFile file = storage.open(MODEL.resolve("model.safetensors"))) {
                assertContent(content, file);
            }
        }
        assertTrue(blobs.requests.stream().allMatch(r -> r.path().startsWith("/" + ONE)));
    }

    @Test
    void repositories_are_listed_page_by_page() {
        try (Storage storage = open()) {
            Location pinned = storage.pin(MODEL);
            assertEquals(List.of("FILE model.safetensors", "DIRECTORY sub dir"),
                    storage.list(pinned).stream().map(each -> each.kind() + " " + each.name()).toList());
            StorageEntry inner = storage.list(pinned.resolve("sub dir")).getFirst();
            assertEquals(pinned.resolve("sub dir").resolve("a.json"), inner.location());
            try (StorageFile file = storage.open(inner.location())) {
                assertArrayEquals("{}".getBytes(), Remote.read(file, 0, 2));
            }
            assertEquals(Storage.Kind.DIRECTORY, storage.kind(pinned));
            assertEquals(Storage.Kind.FILE, storage.kind(MODEL.resolve("model.safetensors")));
            assertEquals(Storage.Kind.ABSENT, storage.kind(MODEL.resolve("other.safetensors")));
            assertEquals(Storage.Kind.ABSENT, storage.kind(Location.of("hf:org/other")));
        }
    }

    @Test
    void the_token_goes_to_the_hub_only_and_signed_addresses_are_renewed() throws Exception {
        Files.createDirectories(home.resolve(".cache/huggingface"));
        Files.writeString(home.resolve(".cache/huggingface/token"), "hf_file\n");
        try (Storage storage = open(); StorageFile file = storage.open(MODEL.resolve("model.safetensors"))) {
            assertContent(content, file);
            signature.incrementAndGet();
            assertContent(content, file);
        }
        assertTrue(hub.requests.stream().allMatch(r -> r.header("authorization").equals("Bearer hf_file")));
        assertTrue(blobs.requests.stream().allMatch(r -> r.header("authorization").isEmpty()));
        environment.put("HF_TOKEN", "hf_env");
        hub.requests.clear();
        try (Storage storage = open()) {
            storage.pin(MODEL);
        }
        assertEquals("Bearer hf_env", hub.requests.getFirst().header("authorization"));
    }

    @Test
    void refusals_name_the_token_and_show_none() {
        environment.put("HF_TOKEN", "hf_s3cret");
        try (Storage storage = open()) {
            String message = failure(() -> storage.pin(Location.of("hf:org/private")));
            assertSays(message, "401", "private", "token");
            assertFalse(message.contains("s3cret"));
            assertSays(failure(() -> storage.pin(Location.of("hf:org/absent"))), "no such repository");
            assertSays(failure(() -> storage.open(MODEL.resolve("absent"))), "absent");
            blobs.behaviour = _ -> Answer.of(403);
            message = failure(() -> storage.open(MODEL.resolve("model.safetensors")));
            assertSays(message, "403", "model.safetensors");
            assertFalse(message.contains("s3cret"));
        }
    }

    private Path snapshot() throws IOException {
        Path model = home.resolve("hub/models--org--model");
        Files.createDirectories(model.resolve("refs"));
        Files.writeString(model.resolve("refs/main"), TWO);
        Path snapshot = Files.createDirectories(model.resolve("snapshots").resolve(TWO));
        Path blob = Files.createDirectories(model.resolve("blobs")).resolve("abc");
        Files.write(blob, bytes(5000));
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), snapshot.relativize(blob));
        environment.put("HF_HOME", home.toString());
        return snapshot;
    }

    @Test
    void files_of_the_same_commit_are_read_from_the_cache() throws Exception {
        snapshot();
        try (Storage storage = open()) {
            try (StorageFile file = storage.open(MODEL.resolve("model.safetensors"))) {
                assertEquals("hf", file.storageName(), "the cache has another commit");
            }
            Location pinned = Location.of("hf:org/model@" + TWO).resolve("model.safetensors");
            hub.requests.clear();
            try (StorageFile file = storage.open(pinned)) {
                assertEquals("hf cache", file.storageName());
                assertContent(bytes(5000), file);
                Thread.currentThread().interrupt();
                assertContent(bytes(5000), file);
                assertTrue(Thread.interrupted());
                assertContent(bytes(5000), file);
            }
            assertEquals(List.of(), hub.requests);
        }
    }

    @Test
    void offline_only_the_cache_counts() throws Exception {
        snapshot();
        environment.put("HF_HUB_OFFLINE", "1");
        try (Storage storage = open()) {
            Location pinned = storage.pin(MODEL);
            assertEquals(Location.of("hf:org/model@" + TWO), pinned);
            assertEquals(List.of("model.safetensors"), storage.list(pinned).stream().map(StorageEntry::name).toList());
            try (StorageFile file = storage.open(pinned.resolve("model.safetensors"))) {
                assertContent(bytes(5000), file);
            }
            assertSays(failure(() -> storage.open(pinned.resolve("b.safetensors"))), "cache", "HF_HUB_OFFLINE");
            assertSays(failure(() -> storage.pin(Location.of("hf:org/other"))), "cache", "HF_HUB_OFFLINE");
        }
        assertEquals(List.of(), hub.requests);
    }

    @Test
    void addresses_that_lead_out_of_a_repository_are_refused() {
        try (Storage storage = open()) {
            for (String wrong : List.of("hf:org/model/../x", "hf:org/model/%2e%2e/x", "hf:org/model/a%2Fb",
                    "hf:../model",
                    "hf:org/model@..%2F..%2Fx/f", "hf:", "hf:org/model//x")) {
                assertSays(failure(() -> storage.open(Location.of(wrong))), "hf:org/name@revision/file");
            }
        }
        assertEquals(List.of(), hub.requests);
    }
}

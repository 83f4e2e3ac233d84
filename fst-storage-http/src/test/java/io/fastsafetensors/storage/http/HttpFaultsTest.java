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

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.storage.http.RangeServer.Request;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Location;
import java.io.ByteArrayOutputStream;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.time.ZonedDateTime;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.random.RandomGenerator;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Servers, and what lies between, that do not keep to the rules: the right bytes come, or one clear error does.
class HttpFaultsTest {
    private static final int LENGTH = 300_000;

    private final RangeServer server = new RangeServer();
    private final byte[] content = bytes(LENGTH);
    private Storage storage = open();
    private final Location file = at("/model.safetensors");

    HttpFaultsTest() {
        server.put("/model.safetensors", content);
    }

    private static Storage open(String... properties) {
        return new HttpStorageProvider(_ -> null).open(StorageOptions.of(quick(properties)));
    }

    private void reopen(String... properties) {
        storage.close();
        storage = open(properties);
    }

    private Location at(String path) {
        return Location.of(server.address() + path);
    }

    @AfterEach
    void close() {
        storage.close();
        server.close();
    }

    /// Changes the usual answers to range requests that are no probes.
    private void change(UnaryOperator<Answer> how) {
        server.behaviour = request -> isProbe(request) ? null : how.apply(server.usual(request));
    }

    private static boolean isProbe(Request request) {
        return request.header("range").equals("bytes=0-0");
    }

    /// The first so many requests that are no probes get this answer.
    private void first(int count, Answer answer) {
        AtomicInteger left = new AtomicInteger(count);
        server.behaviour = request -> isProbe(request) || left.getAndDecrement() <= 0 ? null : answer;
    }

    private String readFails(String... parts) {
        try (StorageFile opened = storage.open(file)) {
            String message = failure(() -> Remote.read(opened, 1000, 5000));
            assertSays(message, "model.safetensors", "offset 1000");
            assertSays(message, parts);
            return message;
        }
    }

    @Test
    void answers_of_200_to_a_range_are_refused() {
        change(answer -> Answer.of(200, "ETag", answer.headers().get("ETag")).body(content));
        readFails("200 instead of 206");
    }

    @Test
    void a_server_without_ranges_is_refused_at_opening() {
        server.behaviour = request -> Answer.of(200).body(content);
        assertSays(failure(() -> storage.open(file)), "ignores ranges", "model.safetensors");
        assertEquals(Storage.Kind.FILE, storage.kind(file));
    }

    @Test
    void wrong_content_ranges_are_refused() {
        for (String wrong : List.of("bytes 1001-6000/300000", "bytes 1000-5998/300000", "bytes 1000-5999/*", "x",
                "bytes 1000-5999/99999999999999999999999")) {
            change(answer -> answer.with("Content-Range", wrong));
            readFails("Content-Range");
        }
        change(answer -> answer.with("Content-Range", null));
        readFails("no Content-Range");
    }

    @Test
    void another_total_length_is_a_changed_file() {
        change(answer -> answer.with("Content-Range", "bytes 1000-5999/300001"));
        readFails("changed", "300001");
    }

    @Test
    void a_content_length_that_is_not_what_was_asked_for_is_refused() {
        change(answer -> answer.body(bytes(4999)));
        readFails("Content-Length 4999");
        change(answer -> answer.body(bytes(5001)));
        readFails("Content-Length 5001");
    }

    @Test
    void compressed_bodies_are_refused() throws Exception {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
            gzip.write(content, 1000, 5000);
        }
        change(answer -> answer.with("Content-Encoding", "gzip").body(packed.toByteArray()));
        readFails("Content-Encoding gzip");
        server.behaviour = request -> server.usual(request).with("Content-Encoding", "br");
        assertSays(failure(() -> storage.open(file)), "Content-Encoding br");
        assertTrue(server.requests.stream().allMatch(r -> r.header("accept-encoding").equals("identity")));
    }

    @Test
    void a_changed_etag_is_a_changed_file() {
        change(answer -> answer.with("ETag", "\"other\""));
        readFails("changed", "other");
        change(answer -> answer.with("ETag", null));
        readFails("changed", "no ETag");
        change(answer -> Answer.of(412));
        readFails("changed");
        change(answer -> Answer.of(200, "ETag", "\"other\"").body(content));
        readFails("changed");
        change(answer -> Answer.of(416, "Content-Range", "bytes */10"));
        readFails("changed");
    }

    @Test
    void weak_etags_are_compared_as_text_and_not_sent() {
        server.behaviour = request -> server.usual(request).with("ETag", "W/\"1\"");
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
            assertTrue(server.requests.stream().allMatch(r -> r.header("if-match").isEmpty()));
            server.behaviour = request -> server.usual(request).with("ETag", "W/\"2\"");
            assertSays(failure(() -> Remote.read(opened, 0, 10)), "changed");
            assertFalse(opened.isCurrent());
        }
    }

    @Test
    void without_an_etag_the_time_of_the_last_change_counts() {
        server.behaviour = request -> server.usual(request).with("ETag", null).with("Last-Modified", "then");
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
            assertTrue(opened.isCurrent());
            server.behaviour = request -> server.usual(request).with("ETag", null).with("Last-Modified", "now");
            assertSays(failure(() -> Remote.read(opened, 0, 10)), "changed");
            assertFalse(opened.isCurrent());
        }
    }

    @Test
    void refusals_say_what_to_do() {
        first(9, Answer.of(401));
        readFails("401", "http.authorization");
        first(9, Answer.of(403));
        readFails("403", "http.authorization");
        first(9, Answer.of(404));
        readFails("no longer there");
        first(9, Answer.of(400));
        readFails("400");
        server.behaviour = _ -> Answer.of(403);
        assertSays(failure(() -> storage.kind(file)), "403");
        assertSays(failure(() -> storage.open(file)), "403");
    }

    @Test
    void a_clock_that_is_wrong_is_told_with_a_refusal() {
        String date = DateTimeFormatter.RFC_1123_DATE_TIME
                .format(Instant.now().plusSeconds(1800).atOffset(ZoneOffset.UTC));
        first(9, Answer.of(403, "Date", date));
        assertSays(readFails("clock", "behind"), "minutes behind");
    }

    @Test
    void a_cut_body_is_continued_from_the_first_missing_byte() {
        AtomicInteger tries = new AtomicInteger();
        server.behaviour = request -> isProbe(request) ? null
                : tries.getAndIncrement() < 3 ? server.usual(request).cutAfter(1000) : null;
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
        }
        assertEquals(
                List.of("bytes=0-0", "bytes=0-299999", "bytes=1000-299999", "bytes=2000-299999", "bytes=3000-299999"),
                server.requests.stream().map(r -> r.header("range")).toList());
    }

    @Test
    void transient_answers_are_retried_a_number_of_times() {
        for (int status : new int[] {408, 429, 500, 502, 503, 504}) {
            first(3, Answer.of(status, "Retry-After", "0"));
            try (StorageFile opened = storage.open(file)) {
                assertContent(content, opened);
            }
            server.requests.clear();
            first(99, Answer.of(status));
            readFails(Integer.toString(status), "try 4");
            assertEquals(4, server.requests.stream().filter(r -> !isProbe(r)).count());
        }
    }

    @Test
    void a_server_that_asks_to_wait_is_waited_for() {
        first(1, Answer.of(503, "Retry-After", "1"));
        long begin = System.nanoTime();
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
        }
        assertTrue(System.nanoTime() - begin >= 1_000_000_000L, "did not wait");
        first(1, Answer.of(503, "Retry-After", "86400"));
        readFails("asks to wait 86400 s");
    }

    @Test
    void a_time_to_wait_for_is_one_of_the_servers_clock() {
        // The server's clock is two hours ahead, and it asks to wait for a second.
        ZonedDateTime there = ZonedDateTime.now(ZoneOffset.UTC).plusHours(2);
        DateTimeFormatter format = DateTimeFormatter.RFC_1123_DATE_TIME;
        first(1, Answer.of(503, "Date", format.format(there), "Retry-After", format.format(there.plusSeconds(1))));
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
        }
        first(1, Answer.of(503, "Date", format.format(there), "Retry-After", format.format(there.plusHours(1))));
        readFails("asks to wait 3600 s");
    }

    @Test
    void bodies_that_are_transformed_on_their_way_are_refused() {
        for (String coding : List.of("gzip, chunked", "gzip", "chunked, chunked")) {
            change(answer -> answer.inChunks().with("Transfer-Encoding", coding));
            readFails("Transfer-Encoding " + coding, "switch compression off");
        }
    }

    @Test
    void heads_without_end_are_refused() {
        change(answer -> answer.with("X-Long", "x".repeat(1 << 20)));
        readFails("head is longer than 32768 bytes");
    }

    @Test
    void interim_answers_are_skipped_and_do_not_hold_a_load() {
        String answer = "HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/1\r\n\r\nx";
        String interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        try (RangeServer.Raw raw = new RangeServer.Raw(interim + answer);
                StorageFile opened = storage.open(Location.of(raw.address() + "/m"))) {
            assertArrayEquals(new byte[] {'x'}, Remote.read(opened, 0, 1));
        }
    }

    @Test
    void answers_of_http_1_0_end_their_connection() {
        String answer = "HTTP/1.0 206 Partial Content\r\nContent-Range: bytes 0-0/1\r\n\r\nx";
        try (RangeServer.Raw raw = new RangeServer.Raw(answer);
                StorageFile opened = storage.open(Location.of(raw.address() + "/m"))) {
            for (int i = 0; i < 3; i++) {
                assertArrayEquals(new byte[] {'x'}, Remote.read(opened, 0, 1));
            }
        }
    }

    @Test
    void several_parts_in_one_answer_are_refused() {
        change(answer -> answer.with("Content-Type", "multipart/byteranges; boundary=x").with("Content-Range", null));
        readFails("no Content-Range");
    }

    @Test
    void one_byte_too_few_is_asked_for_again_alone() {
        AtomicInteger tries = new AtomicInteger();
        server.behaviour = request -> isProbe(request) ? null
                : tries.getAndIncrement() == 0 ? server.usual(request).cutAfter(4999) : null;
        try (StorageFile opened = storage.open(file)) {
            assertArrayEquals(Arrays.copyOfRange(content, 1000, 6000), Remote.read(opened, 1000, 5000));
        }
        assertEquals("bytes=5999-5999", server.requests.getLast().header("range"));
    }

    @Test
    void retries_are_a_share_of_requests_at_most() {
        reopen("http.retries", "1");
        AtomicInteger count = new AtomicInteger();
        server.behaviour = request -> isProbe(request) || count.incrementAndGet() % 2 == 0 ? null : Answer.of(503);
        int retried = 0;
        try (StorageFile opened = storage.open(file)) {
            for (int i = 0; i < 200; i++) {
                try {
                    Remote.read(opened, 0, 10);
                    retried++;
                } catch (StorageException e) {
                    assertSays(String.valueOf(e.getMessage()), "503");
                    count.incrementAndGet();
                }
            }
        }
        assertTrue(retried >= 50 && retried <= 100, retried + " of 200 requests were retried");
    }

    @Test
    void a_server_that_says_nothing_is_left_after_a_while() throws Exception {
        reopen("http.readTimeout", "0.2", "http.retries", "1");
        server.behaviour = request -> {
            if (!isProbe(request)) {
                Thread.sleep(60_000);
            }
            return null;
        };
        readFails("nothing arrived for 200 ms", "try 2");
    }

    @Test
    void what_is_no_http_is_told() {
        server.close();
        try (RangeServer.Raw raw = new RangeServer.Raw("SSH-2.0-OpenSSH\r\n\r\n")) {
            assertSays(failure(() -> storage.open(Location.of(raw.address() + "/m"))), "no HTTP/1.1");
        }
        assertSays(failure(() -> storage.open(file)), "127.0.0.1", "try 4");
    }

    @Test
    void idle_connections_that_the_server_closed_are_no_failures() throws Exception {
        reopen("http.retries", "0");
        try (StorageFile opened = storage.open(file)) {
            for (int i = 0; i < 5; i++) {
                assertArrayEquals(Arrays.copyOfRange(content, i, i + 100), Remote.read(opened, i, 100));
                server.closeConnections();
            }
        }
    }

    @Test
    void connections_are_kept() {
        try (StorageFile opened = storage.open(file)) {
            for (int i = 0; i < 20; i++) {
                Remote.read(opened, i, 100);
            }
        }
        assertEquals(1, server.connections());
    }

    @Test
    void chunked_ranges_arrive_and_are_judged_as_well() {
        change(Answer::inChunks);
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
        }
        change(answer -> answer.inChunks().body(bytes(5001)));
        try (StorageFile opened = storage.open(file)) {
            assertSays(failure(() -> Remote.read(opened, 1000, 5000)), "longer than its range");
        }
        AtomicInteger tries = new AtomicInteger();
        server.behaviour = request -> isProbe(request) ? null
                : tries.getAndIncrement() < 2 ? server.usual(request).inChunks().cutAfter(7777) : null;
        try (StorageFile opened = storage.open(file)) {
            assertContent(content, opened);
        }
    }

    @Test
    void redirects_are_followed_and_remembered() {
        server.behaviour =
                request -> request.path().equals("/model") ? Answer.of(302, "Location", "/model.safetensors?x=1")
                        : null;
        try (StorageFile opened = storage.open(at("/model"))) {
            assertContent(content, opened);
            assertContent(content, opened);
        }
        assertEquals(1, server.requests.stream().filter(r -> r.path().equals("/model")).count());
    }

    @Test
    void a_redirect_that_expired_is_asked_for_again() {
        AtomicInteger given = new AtomicInteger();
        server.behaviour = request -> {
            if (request.path().equals("/model")) {
                return Answer.of(302, "Location", "/model.safetensors?signature=" + given.incrementAndGet());
            }
            return request.target().endsWith("=" + given.get()) ? null : Answer.of(403);
        };
        try (StorageFile opened = storage.open(at("/model"))) {
            assertContent(content, opened);
            given.incrementAndGet();
            assertContent(content, opened);
        }
    }

    @Test
    void redirect_loops_end() {
        server.behaviour = request -> Answer.of(307, "Location", "/a" + request.path());
        assertSays(failure(() -> storage.open(file)), "loop", "model.safetensors");
        server.behaviour = request -> Answer.of(307);
        assertSays(failure(() -> storage.open(file)), "without saying where");
        server.behaviour = request -> Answer.of(307, "Location", "ftp://127.0.0.1/secret");
        assertFalse(failure(() -> storage.open(file)).contains("secret"));
    }

    @Test
    void credentials_stay_with_their_server() {
        try (RangeServer other = new RangeServer()) {
            other.put("/model.safetensors", content);
            server.behaviour = request -> Answer.of(302, "Location", other.address() + "/model.safetensors");
            reopen("http.authorization", "Bearer s3cret");
            try (StorageFile opened = storage.open(file)) {
                assertContent(content, opened);
            }
            try (StorageFile opened = storage
                    .open(Location.of(server.address().replace("http://", "http://me:pass%20word@") + "/m"))) {
                assertContent(content, opened);
            }
            assertEquals(List.of("Bearer s3cret", "Basic bWU6cGFzcyB3b3Jk"),
                    server.requests.stream().map(r -> r.header("authorization")).toList());
            assertTrue(other.requests.stream().allMatch(r -> r.header("authorization").isEmpty()));
        }
    }

    @Test
    void a_proxy_gets_the_whole_address_and_its_own_credentials() {
        Map<String, String> environment = new HashMap<>(
                Map.of("http_proxy", server.address().replace("//", "//user:pw@"), "no_proxy",
                        "10.0.0.1,.example.org"));
        server.behaviour = request -> server.usual(new Request(request.method(),
                request.target().replace("http://model.invalid", ""), request.headers(), request.body()));
        try (Storage through = new HttpStorageProvider(environment::get).open(StorageOptions.of(quick()));
                StorageFile opened = through.open(Location.of("http://model.invalid/model.safetensors"))) {
            assertContent(content, opened);
            assertTrue(server.requests.stream().allMatch(r -> r.target().startsWith("http://model.invalid/")
                    && r.header("host").equals("model.invalid")
                    && r.header("proxy-authorization").equals("Basic dXNlcjpwdw==")));
            environment.put("no_proxy", "invalid");
            try (Storage past = new HttpStorageProvider(environment::get)
                    .open(StorageOptions.of(quick("http.retries", "0")))) {
                String message = failure(() -> past.open(Location.of("http://model.invalid/model.safetensors")));
                assertSays(message, "name is unknown");
                assertFalse(message.contains("pw"));
            }
        }
    }

    @Test
    void exceptions_from_the_proxy_may_be_ipv6_addresses() {
        server.behaviour = _ -> Answer.of(418);
        Location local = Location.of("http://[::1]:9/m");
        for (String exception : List.of("::1", "[::1]", "[::1]:9", "[::1]:10")) {
            Map<String, String> environment = Map.of("http_proxy", server.address(), "no_proxy", exception);
            try (Storage through = new HttpStorageProvider(environment::get)
                    .open(StorageOptions.of(quick("http.retries", "0")))) {
                String message = failure(() -> through.open(local));
                assertSays(message, "[::1]:9");
                assertEquals(exception.endsWith(":10"), message.contains("418"), () -> exception + ": " + message);
            }
        }
    }

    @Test
    void an_interrupt_ends_a_read_that_waits() throws Exception {
        server.behaviour = request -> {
            if (!isProbe(request)) {
                Thread.sleep(60_000);
            }
            return null;
        };
        try (StorageFile opened = storage.open(file)) {
            Thread[] reader = new Thread[1];
            String[] message = new String[1];
            reader[0] = Thread.ofPlatform().start(() -> message[0] = failure(() -> Remote.read(opened, 0, 10))
                    + Thread.currentThread().isInterrupted());
            while (server.requests.stream().allMatch(HttpFaultsTest::isProbe)) {
                Thread.sleep(5);
            }
            reader[0].interrupt();
            reader[0].join();
            assertSays(message[0], "interrupted", "true");
        }
    }

    @Test
    void bad_settings_are_told_without_their_values() {
        for (String name : List.of("http.readTimeout", "http.connectTimeout", "http.retries", "http.retryDelay",
                "http.proxy")) {
            String message = failure(() -> open(name, "ftp://s3cret"));
            assertSays(message, name);
            assertFalse(message.contains("s3cret"));
        }
    }

    /// One request in 20 fails, is late, or is cut; many threads read at once.
    @Test
    void the_right_bytes_come_although_one_request_in_20_fails() throws Exception {
        RandomGenerator random = Seed.random("faults");
        server.behaviour = request -> {
            double dice;
            int where;
            synchronized (random) {
                dice = random.nextDouble();
                where = random.nextInt(20_000);
            }
            if (dice < 0.0125) {
                return Answer.of(503);
            }
            if (dice < 0.025) {
                return server.usual(request).cutAfter(where);
            }
            if (dice < 0.0375) {
                return server.usual(request).cutAfter(0);
            }
            if (dice < 0.05) {
                Thread.sleep(20);
            }
            return null;
        };
        reopen("http.retries", "6");
        try (ExecutorService threads = Executors.newFixedThreadPool(8); StorageFile opened = storage.open(file)) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < 400; i++) {
                int from = (i * 7919) % (LENGTH - 20_000);
                all.add(threads.submit(() -> assertArrayEquals(Arrays.copyOfRange(content, from, from + 20_000),
                        Remote.read(opened, from, 20_000), () -> "at " + from + Seed.note())));
            }
            for (Future<?> each : all) {
                each.get();
            }
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause() + Seed.note(), e);
        }
    }
}

package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The options of storages and the cache, on a checkpoint that a server has.
class CacheCommandTest {
    @TempDir
    private Path directory;

    private HttpServer server;
    private byte[] content = {};
    private final AtomicLong bytes = new AtomicLong();
    private volatile String authorization = "";

    @BeforeEach
    void serve() throws IOException {
        Path file = Cli.write(directory.resolve("m.safetensors"), Cli.bytes("a", 1, 2, 3, 4, 5, 6, 7, 8));
        content = Files.readAllBytes(file);
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 10);
        server.createContext("/", this::answer);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private void answer(HttpExchange exchange) throws IOException {
        String[] ends = exchange.getRequestHeaders().getFirst("Range").substring("bytes=".length()).split("-");
        int from = Integer.parseInt(ends[0]);
        int to = Math.min(content.length, Integer.parseInt(ends[1]) + 1);
        String given = exchange.getRequestHeaders().getFirst("Authorization");
        authorization = given == null ? "" : given;
        exchange.getResponseHeaders().set("ETag", "\"one\"");
        exchange.getResponseHeaders().set("Content-Range", "bytes " + from + "-" + (to - 1) + "/" + content.length);
        exchange.sendResponseHeaders(206, to - from);
        bytes.addAndGet(to == 1 ? 0 : to - from);
        exchange.getResponseBody().write(Arrays.copyOfRange(content, from, to));
        exchange.close();
    }

    private String address() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/m.safetensors";
    }

    @Test
    void a_load_keeps_what_it_fetches_and_cache_lists_and_prunes_it() {
        Path cache = directory.resolve("cache");
        assertEquals(0, Cli.run("cache", "ls", "--cache", cache).status(), "before there is one");
        assertEquals(0, Cli.run("load", address(), "--cache", cache).status());
        long first = bytes.getAndSet(0);
        assertTrue(first > 0);
        assertEquals(0, Cli.run("load", address(), "--cache", cache).status());
        assertEquals(0, bytes.get());
        List<List<String>> rows = Cli.run("cache", "ls", "--cache", cache, "--format", "tsv").rows();
        assertEquals(1, rows.size());
        assertEquals(List.of(address(), Integer.toString(content.length)),
                List.of(rows.getFirst().get(0), rows.getFirst().get(2)));
        Cli.Result pruned = Cli.run("cache", "prune", "--to", "0", "--cache", cache);
        assertEquals("0 B left", pruned.out().strip(), pruned.err());
        assertEquals(List.of(), Cli.run("cache", "ls", "--cache", cache, "--format", "tsv").rows());
    }

    @Test
    void wrong_usage_is_told() {
        for (List<String> wrong : List.of(List.of("cache"), List.of("cache", "drop"), List.of("cache", "prune"),
                List.of("cache", "ls", "--to", "0"), List.of("cache", "prune", "--to", "much"),
                List.of("ls", "--storage", "s3cret", "x"))) {
            Cli.Result result = Cli.run(wrong.toArray());
            assertEquals(2, result.status(), () -> wrong + ": " + result.err());
            assertTrue(!result.err().contains("s3cret"), result.err());
        }
    }

    @Test
    void properties_of_storages_reach_them() {
        for (String command : List.of("ls", "load", "verify")) {
            authorization = "";
            Cli.Result result = Cli.run(command, "--storage", "http.authorization=Bearer x=y", address());
            assertEquals(0, result.status(), result.err());
            assertEquals("Bearer x=y", authorization);
        }
        Cli.Result refused = Cli.run("load", "--storage", "http.retries=many", address());
        assertEquals(1, refused.status());
        assertTrue(refused.err().contains("http.retries"), refused.err());
    }
}

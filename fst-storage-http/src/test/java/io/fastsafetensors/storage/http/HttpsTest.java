package io.fastsafetensors.storage.http;

import static io.fastsafetensors.storage.http.Remote.assertContent;
import static io.fastsafetensors.storage.http.Remote.assertSays;
import static io.fastsafetensors.storage.http.Remote.bytes;
import static io.fastsafetensors.storage.http.Remote.failure;
import static io.fastsafetensors.storage.http.Remote.quick;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.storage.http.RangeServer.Answer;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// TLS: who is trusted, under which name, directly and through a proxy's tunnel.
class HttpsTest {
    private static final String PASSWORD = "changeit";

    @TempDir
    static Path folder;

    private static SSLContext before;
    private static SSLContext trusting;
    private final byte[] content = bytes(200_000);

    @BeforeAll
    static void makeCertificate() throws Exception {
        Path keys = folder.resolve("keys.p12");
        Process keytool = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair", "-alias", "a", "-keyalg", "EC", "-dname", "CN=test", "-ext", "san=dns:localhost",
                "-validity", "10", "-keystore", keys.toString(), "-storepass", PASSWORD, "-storetype", "PKCS12")
                .redirectErrorStream(true).redirectOutput(folder.resolve("keytool").toFile()).start();
        assertEquals(0, keytool.waitFor(), () -> read(folder.resolve("keytool")));
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(keys)) {
            store.load(in, PASSWORD.toCharArray());
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(store, PASSWORD.toCharArray());
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("a", store.getCertificate("a"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        trusting = SSLContext.getInstance("TLS");
        trusting.init(own.getKeyManagers(), trust.getTrustManagers(), null);
        before = SSLContext.getDefault();
        SSLContext.setDefault(trusting);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @AfterAll
    static void forget() {
        SSLContext.setDefault(before);
    }

    private RangeServer server() {
        RangeServer server = new RangeServer(trusting.getServerSocketFactory(), true);
        server.put("/model.safetensors", content);
        return server;
    }

    private static Storage open(Map<String, String> environment, String... properties) {
        return new HttpStorageProvider(environment::get).open(StorageOptions.of(quick(properties)));
    }

    @Test
    void files_are_read_by_tls_and_connections_kept() {
        try (RangeServer server = server(); Storage storage = open(Map.of());
                StorageFile file = storage.open(Location.of(server.address() + "/model.safetensors"))) {
            assertContent(content, file);
            Remote.read(file, 100, 70_000);
            assertEquals(1, server.connections());
        }
    }

    @Test
    void a_certificate_for_another_name_is_refused() {
        try (RangeServer server = server(); Storage storage = open(Map.of())) {
            String message = failure(() -> storage
                    .open(Location.of(server.address().replace("localhost", "127.0.0.1") + "/model.safetensors")));
            assertSays(message, "TLS", "127.0.0.1", "trust");
            assertEquals(1, server.connections(), "a certificate is not asked for again");
        }
    }

    @Test
    void an_unknown_authority_is_refused() throws Exception {
        SSLContext.setDefault(before);
        try (RangeServer server = server(); Storage storage = open(Map.of())) {
            assertSays(failure(() -> storage.open(Location.of(server.address() + "/model.safetensors"))),
                    "certification path", "javax.net.ssl.trustStore");
        } finally {
            SSLContext.setDefault(trusting);
        }
    }

    @Test
    void a_server_without_tls_is_told() {
        try (RangeServer.Raw plain = new RangeServer.Raw("HTTP/1.1 400 Bad Request\r\n\r\n");
                Storage storage = open(Map.of())) {
            String address = plain.address().replace("http:", "https:") + "/m";
            assertSays(failure(() -> storage.open(Location.of(address))), "TLS");
        }
    }

    @Test
    void no_redirect_leads_from_https_to_http() {
        try (RangeServer server = server(); RangeServer plain = new RangeServer(); Storage storage = open(Map.of())) {
            server.behaviour = _ -> Answer.of(302, "Location", plain.address() + "/model.safetensors?secret=1");
            String message = failure(() -> storage.open(Location.of(server.address() + "/model.safetensors")));
            assertSays(message, "from https to http");
            assertFalse(message.contains("secret"));
            assertEquals(List.of(), plain.requests);
        }
    }

    @Test
    void https_goes_through_a_proxys_tunnel() throws Exception {
        try (RangeServer server = server(); Tunnel proxy = new Tunnel("Basic dXNlcjpwdw==")) {
            Map<String, String> environment = new HashMap<>(
                    Map.of("https_proxy", "http://user:pw@127.0.0.1:" + proxy.listener.getLocalPort()));
            try (Storage storage = open(environment);
                    StorageFile file = storage.open(Location.of(server.address() + "/model.safetensors"))) {
                assertContent(content, file);
                assertEquals(List.of("CONNECT localhost:" + server.port() + " HTTP/1.1"), proxy.asked);
            }
            environment.put("https_proxy", "http://user:wrong@127.0.0.1:" + proxy.listener.getLocalPort());
            try (Storage storage = open(environment)) {
                String message = failure(() -> storage.open(Location.of(server.address() + "/model.safetensors")));
                assertSays(message, "407", "proxy");
                assertFalse(message.contains("wrong"));
            }
            environment.put("no_proxy", "localhost");
            try (Storage storage = open(environment);
                    StorageFile file = storage.open(Location.of(server.address() + "/model.safetensors"))) {
                assertTrue(file.length() > 0);
                assertEquals(2, proxy.asked.size());
            }
        }
    }

    /// A proxy that makes tunnels for who has the right credentials.
    private static final class Tunnel implements AutoCloseable {
        final ServerSocket listener;
        final List<String> asked = new CopyOnWriteArrayList<>();
        private final String authorization;

        Tunnel(String authorization) throws IOException {
            this.authorization = authorization;
            listener = new ServerSocket(0, 10, InetAddress.getByName("127.0.0.1"));
            start(this::accept);
        }

        private interface Work {
            void run() throws IOException;
        }

        private static void start(Work work) {
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    work.run();
                } catch (IOException _) {
                    Thread.yield();
                }
            });
        }

        private void accept() throws IOException {
            while (true) {
                Socket client = listener.accept();
                start(() -> serve(client));
            }
        }

        private void serve(Socket client) throws IOException {
            RangeServer.Request request = RangeServer.read(client.getInputStream());
            asked.add(request.method() + " " + request.target() + " HTTP/1.1");
            boolean known = request.header("proxy-authorization").equals(authorization);
            client.getOutputStream().write(("HTTP/1.1 " + (known ? "200 OK" : "407 No") + "\r\n\r\n")
                    .getBytes(StandardCharsets.ISO_8859_1));
            if (!known) {
                client.close();
                return;
            }
            Socket server = new Socket("127.0.0.1", Integer.parseInt(request.target().split(":")[1]));
            start(() -> copy(client, server));
            copy(server, client);
        }

        private static void copy(Socket from, Socket to) throws IOException {
            try (from; to) {
                InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream();
                in.transferTo(out);
            }
        }

        @Override
        public void close() throws IOException {
            listener.close();
        }
    }
}

package io.fastsafetensors.storage.http;

import static io.fastsafetensors.storage.http.Remote.assertContent;
import static io.fastsafetensors.storage.http.Remote.assertSays;
import static io.fastsafetensors.storage.http.Remote.bytes;
import static io.fastsafetensors.storage.http.Remote.failure;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Servers that others wrote: nginx, and S3Proxy, which checks signatures.
@Tag("slow")
class RealServersTest {
    private static final byte[] CONTENT = bytes(3_000_001);

    @TempDir
    Path folder;

    private Process server;
    private int port;

    @AfterEach
    void stop() throws InterruptedException {
        if (server != null) {
            server.destroy();
            if (!server.waitFor(30, TimeUnit.SECONDS)) {
                server.destroyForcibly().waitFor();
            }
        }
    }

    private void start(List<String> command) throws Exception {
        server = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile())
                .start();
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (System.nanoTime() < end && server.isAlive()) {
            try (Socket socket = new Socket("127.0.0.1", port)) {
                assertTrue(socket.isConnected());
                return;
            } catch (IOException _) {
                Thread.sleep(50);
            }
        }
        fail("the server did not start: " + Files.readString(folder.resolve("log")));
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            return socket.getLocalPort();
        }
    }

    private void startNginx() throws Exception {
        Prerequisite.NGINX.require();
        port = freePort();
        Path root = Files.createDirectories(folder.resolve("root"));
        Files.write(root.resolve("model file.safetensors"), CONTENT);
        Files.write(root.resolve("empty"), new byte[0]);
        Files.writeString(folder.resolve("nginx.conf"), """
                daemon off;
                pid FOLDER/pid;
                error_log FOLDER/error.log;
                user root;
                events { worker_connections 256; }
                http {
                    access_log off;
                    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
                    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
                    keepalive_requests 7;
                    server {
                        listen 127.0.0.1:PORT;
                        root FOLDER/root;
                        location /noranges/ { alias FOLDER/root/; max_ranges 0; }
                        location /packed/ { alias FOLDER/root/; gzip on; gzip_types *; gzip_min_length 1; }
                        location /moved/ { rewrite ^/moved/(.*)$ /$1 redirect; }
                        location /loop/ { rewrite ^/loop/(.*)$ /loop/$1 redirect; }
                        location /closed/ { deny all; }
                    }
                }
                """.replace("FOLDER", folder.toString()).replace("PORT", Integer.toString(port)));
        start(List.of("nginx", "-c", folder.resolve("nginx.conf").toString(), "-e",
                folder.resolve("error.log").toString()));
    }

    @Test
    void nginx_serves_ranges_redirects_and_refusals() throws Exception {
        startNginx();
        Location root = Location.of("http://127.0.0.1:" + port);
        try (Storage storage = new HttpStorageProvider(_ -> null).open(StorageOptions.none())) {
            for (String path : List.of("", "packed", "moved")) {
                Location place = path.isEmpty() ? root : root.resolve(path);
                try (StorageFile file = storage.open(place.resolve("model file.safetensors"))) {
                    assertEquals(CONTENT.length, file.length());
                    for (int i = 0; i < 20; i++) {
                        Remote.read(file, i * 1000, 5000);
                    }
                    assertContent(CONTENT, file);
                    assertTrue(file.isCurrent());
                }
            }
            try (StorageFile file = storage.open(root.resolve("empty"))) {
                assertEquals(0, file.length());
            }
            assertEquals(Storage.Kind.ABSENT, storage.kind(root.resolve("absent")));
            assertSays(failure(() -> storage.open(root.resolve("noranges").resolve("model file.safetensors"))),
                    "ignores ranges");
            assertSays(failure(() -> storage.open(root.resolve("loop").resolve("model"))), "loop");
            assertSays(failure(() -> storage.open(root.resolve("closed").resolve("model"))), "403");
            try (StorageFile file = storage.open(root.resolve("model file.safetensors"))) {
                byte[] other = bytes(3_000_002);
                Files.write(folder.resolve("next"), other);
                Files.move(folder.resolve("next"), folder.resolve("root/model file.safetensors"),
                        StandardCopyOption.REPLACE_EXISTING);
                assertSays(failure(() -> Remote.read(file, 0, 10)), "changed");
            }
        }
    }

    @Test
    void s3proxy_accepts_the_signatures_lists_and_refuses() throws Exception {
        Prerequisite.S3PROXY.require();
        port = freePort();
        Path bucket = Files.createDirectories(folder.resolve("data/bucket/models/sub dir"));
        Files.write(bucket.resolve("a+b c.safetensors"), CONTENT);
        for (int i = 0; i < 30; i++) {
            Files.write(folder.resolve("data/bucket/models/f" + i), new byte[i]);
        }
        Files.writeString(folder.resolve("conf"), """
                s3proxy.authorization=aws-v2-or-v4
                s3proxy.identity=local-identity
                s3proxy.credential=local-credential
                s3proxy.endpoint=http://127.0.0.1:PORT
                jclouds.provider=filesystem-nio2
                jclouds.filesystem.basedir=FOLDER/data
                jclouds.identity=i
                jclouds.credential=c
                """.replace("FOLDER", folder.toString()).replace("PORT", Integer.toString(port)));
        start(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m", "-jar",
                System.getProperty("fst.s3proxy"), "--properties", folder.resolve("conf").toString()));
        Map<String, String> environment = new HashMap<>(Map.of("AWS_ENDPOINT_URL", "http://127.0.0.1:" + port,
                "AWS_ACCESS_KEY_ID", "local-identity", "AWS_SECRET_ACCESS_KEY", "local-credential"));
        Location models = Location.of("s3://bucket/models");
        Location file = models.resolve("sub dir").resolve("a+b c.safetensors");
        try (Storage storage = new S3StorageProvider(environment::get).open(StorageOptions.none())) {
            try (StorageFile opened = storage.open(file)) {
                assertEquals(CONTENT.length, opened.length());
                assertContent(CONTENT, opened);
                assertTrue(opened.isCurrent());
            }
            TreeSet<String> names = new TreeSet<>();
            storage.list(models).forEach(each -> names.add(each.name()));
            assertEquals(31, names.size(), names.toString());
            assertEquals(file, storage.list(models.resolve("sub dir")).getFirst().location());
            assertEquals(Storage.Kind.DIRECTORY, storage.kind(models));
            assertEquals(Storage.Kind.FILE, storage.kind(file));
            assertEquals(Storage.Kind.ABSENT, storage.kind(models.resolve("absent")));
        }
        environment.put("AWS_SECRET_ACCESS_KEY", "wrong");
        try (Storage storage = new S3StorageProvider(environment::get).open(StorageOptions.none())) {
            assertSays(failure(() -> storage.open(file)), "403 SignatureDoesNotMatch");
        }
        environment.remove("AWS_ACCESS_KEY_ID");
        try (Storage storage = new S3StorageProvider(environment::get)
                .open(StorageOptions.of(Map.of("s3.anonymous", "true")));
                StorageFile opened = storage.open(file)) {
            // S3Proxy lets anyone read what any user of the machine may read.
            assertContent(CONTENT, opened);
        }
    }
}

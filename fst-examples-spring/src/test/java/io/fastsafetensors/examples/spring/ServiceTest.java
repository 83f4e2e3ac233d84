package io.fastsafetensors.examples.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;

/// The service in this JVM, and as the jar that users start.
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class ServiceTest {
    @TempDir
    private Path directory;
    private Path checkpoint;

    @BeforeEach
    void write() {
        checkpoint = directory.resolve("model.safetensors");
        Safetensors.write(checkpoint, TensorSource.of("layer/0.weight", Shape.of(2, 2), new float[] {1, 2, 3, 4}));
    }

    private static HttpResponse<String> get(int port, String path) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(HttpRequest.newBuilder(URI.create("http://localhost:" + port + path)).build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }

    private static ServletWebServerApplicationContext start(Path checkpoint) {
        return (ServletWebServerApplicationContext) SpringApplication.run(Service.class, "--server.port=0",
                "--fst.device=cpu", "--fst.checkpoint=" + checkpoint, "--logging.level.root=warn");
    }

    private static String whenReady(int port) throws Exception {
        while (true) {
            HttpResponse<String> health = get(port, "/actuator/health/readiness");
            if (health.statusCode() == 200) {
                return health.body();
            }
            Thread.sleep(20);
        }
    }

    @Test
    void it_gets_ready_when_the_model_is_loaded_and_tells_its_progress() throws Exception {
        Model model;
        try (ServletWebServerApplicationContext service = start(checkpoint)) {
            int port = service.getWebServer().getPort();
            model = service.getBean(Model.class);
            String health = whenReady(port);
            assertTrue(health.contains("\"model\":{\"status\":\"UP\"") && health.contains("\"bytesTotal\":16"), health);
            assertEquals("[\"layer/0.weight\"]", get(port, "/tensors").body());
            String tensor = get(port, "/tensor?name=layer/0.weight").body();
            assertTrue(tensor.contains("\"values\":[1.0,2.0,3.0,4.0]") && tensor.contains("\"shape\":[2,2]"), tensor);
            assertEquals(404, get(port, "/tensor?name=none").statusCode());
            assertTrue(get(port, "/actuator/metrics/fst.load.bytes").body().contains("16"));
            assertTrue(get(port, "/actuator/metrics/fst.load.seconds").body().contains("\"value\":0."));
        }
        assertTrue(model.weights().orElseThrow().isClosed());
    }

    @Test
    void a_model_that_cannot_be_loaded_is_told_by_the_health() throws Exception {
        try (ServletWebServerApplicationContext service = start(directory.resolve("none.safetensors"))) {
            int port = service.getWebServer().getPort();
            HttpResponse<String> health = get(port, "/actuator/health");
            while (!health.body().contains("DOWN")) {
                Thread.sleep(20);
                health = get(port, "/actuator/health");
            }
            assertEquals(503, health.statusCode());
            assertTrue(health.body().contains("no such file or directory"), health.body());
            assertEquals(503, get(port, "/tensors").statusCode());
        }
    }

    @Test
    void the_jar_that_holds_all_others_finds_its_backend() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Process service = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-jar", System.getProperty("fst.service"),
                "--server.port=" + port,
                "--fst.device=cpu", "--fst.checkpoint=" + checkpoint)
                .redirectErrorStream(true).redirectOutput(directory.resolve("log").toFile()).start();
        try {
            while (true) {
                try {
                    assertTrue(whenReady(port).contains("\"bytesTotal\":16"));
                    break;
                } catch (IOException e) {
                    assertTrue(service.isAlive(), () -> "ended: " + read(directory.resolve("log")));
                    Thread.sleep(50);
                }
            }
        } finally {
            service.destroy();
            service.waitFor();
        }
    }

    private static String read(Path log) {
        try {
            return java.nio.file.Files.readString(log);
        } catch (IOException e) {
            return e.toString();
        }
    }
}

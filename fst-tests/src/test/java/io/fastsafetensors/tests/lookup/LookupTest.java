package io.fastsafetensors.tests.lookup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Implementations and providers are found by every kind of thread, however the program is packed and loaded.
@Timeout(600)
class LookupTest {
    private static final int KINDS_OF_THREADS = 7;
    private static final String LOADED = "[cpu, remote, near] [single, local, mpi] 1000 bytes by 1";

    @TempDir
    Path directory;

    private Path model;

    @BeforeEach
    void write() {
        model = directory.resolve("model.safetensors");
        Safetensors.write(model, List.of(TensorSource.of("t", DType.U8, Shape.of(1000),
                channel -> channel.write(ByteBuffer.allocate(1000)))), WriteOptions.defaults());
    }

    private List<String> run(Path jar) throws IOException, InterruptedException {
        Process process =
                new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(), "-Xmx128m",
                        "-jar", jar.toString(), model.toString()).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), out);
        assertEquals(0, process.exitValue(), out);
        return out.lines().toList();
    }

    private static void assertAll(String expected, List<String> lines) {
        assertEquals(KINDS_OF_THREADS, lines.size(), lines::toString);
        lines.forEach(line -> assertTrue(line.endsWith(": " + expected), lines::toString));
    }

    private static URL[] urls() throws IOException {
        List<URL> urls = new ArrayList<>();
        for (Path entry : Archives.classPath()) {
            urls.add(entry.toUri().toURL());
        }
        return urls.toArray(URL[]::new);
    }

    @SuppressWarnings("unchecked")
    private List<String> reportIn(ClassLoader loader) throws Exception {
        Class<?> program = loader.loadClass(LookupProgram.class.getName());
        return (List<String>) program.getMethod("report", Path.class).invoke(null, model);
    }

    @Test
    void every_thread_of_a_spring_boot_jar_finds_backends_and_transports() throws Exception {
        assertAll(LOADED, run(Archives.springBoot(directory.resolve("boot.jar"), LookupProgram.class)));
    }

    @Test
    void every_thread_of_a_shaded_jar_finds_backends_and_transports() throws Exception {
        assertAll(LOADED, run(Archives.shaded(directory.resolve("shaded.jar"), LookupProgram.class, true)));
    }

    @Test
    void a_shaded_jar_without_merged_service_files_says_so() throws Exception {
        List<String> lines = run(Archives.shaded(directory.resolve("unmerged.jar"), LookupProgram.class, false));
        assertEquals(KINDS_OF_THREADS, lines.size(), lines::toString);
        for (String line : lines) {
            assertTrue(line.contains("no backend for cpu"), line);
            assertTrue(line.contains("fst-backend-cpu is on the path, but no services file names it"), line);
            assertTrue(line.contains("ServicesResourceTransformer") && line.contains("mergeServiceFiles()"), line);
        }
    }

    @Test
    void a_plugin_whose_parent_has_no_fst_finds_its_own() throws Exception {
        try (URLClassLoader plugin = new URLClassLoader(urls(), ClassLoader.getPlatformClassLoader())) {
            // The context is this test's, which has an fst of its own.
            assertFalse(plugin.loadClass(LookupProgram.class.getName()).equals(LookupProgram.class));
            assertAll(LOADED, reportIn(plugin));
        }
    }

    @Test
    void backends_of_an_application_are_found_by_the_fst_of_its_server() throws Exception {
        URL[] all = urls();
        URL[] server = List.of(all).stream().filter(url -> !isApplication(url)).toArray(URL[]::new);
        URL[] application = List.of(all).stream().filter(LookupTest::isApplication).toArray(URL[]::new);
        try (URLClassLoader shared = new URLClassLoader(server, ClassLoader.getPlatformClassLoader());
                URLClassLoader own = new URLClassLoader(application, shared)) {
            Thread thread = Thread.currentThread();
            ClassLoader before = thread.getContextClassLoader();
            thread.setContextClassLoader(own);
            try {
                assertEquals("main: " + LOADED, reportIn(own).getFirst());
            } finally {
                thread.setContextClassLoader(before);
            }
        }
    }

    private static boolean isApplication(URL url) {
        return url.getPath().contains("/fst-backend-cpu/") || url.getPath().contains("/fst-tests/");
    }
}

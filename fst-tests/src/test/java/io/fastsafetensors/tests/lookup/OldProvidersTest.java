package io.fastsafetensors.tests.lookup;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLClassLoader;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Providers that were compiled against version 1 of the SPI, with the SPI of today. What they were compiled against is
/// among the resources, or, for what has never been, changed by the test.
class OldProvidersTest {
    @TempDir
    private Path directory;

    private final List<URL> jars = new ArrayList<>();
    private final List<URLClassLoader> loaders = new ArrayList<>();
    private ClassLoader before;

    @BeforeEach
    void remember() {
        before = Thread.currentThread().getContextClassLoader();
    }

    @AfterEach
    void restore() throws IOException {
        Thread.currentThread().setContextClassLoader(before);
        for (URLClassLoader each : loaders) {
            each.close();
        }
    }

    /// Compiles a provider against version 1 and puts its classes, without that version, where providers are found.
    ///
    /// @param spi changes the SPI that it is compiled against
    private void register(String name, String members, UnaryOperator<String> spi)
            throws IOException, URISyntaxException {
        Path jar = Files.createDirectories(directory.resolve(name));
        Path services = Files.createDirectories(jar.resolve("META-INF/services"));
        Files.writeString(services.resolve(BackendProvider.class.getName()), "acme." + name);
        Path old = Files.createDirectories(directory.resolve(name + "-spi"));
        List<JavaFileObject> api = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of(getClass().getResource("/spi-1").toURI()))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
                api.add(unit(file.getFileName().toString(), spi.apply(Files.readString(file))));
            }
        }
        compile(api, old, "");
        String acme = new String(getClass().getResourceAsStream("/spi-1/provider/Acme.java").readAllBytes(),
                StandardCharsets.UTF_8);
        List<JavaFileObject> sources = new ArrayList<>(List.of(unit("Acme.java", acme)));
        if (!name.equals("Acme")) {
            sources.add(unit(name + ".java", "package acme; import io.fastsafetensors.spi.*; import"
                    + " io.fastsafetensors.types.*; import java.util.*; public class " + name + " extends Acme { "
                    + members
                    + " }"));
        }
        compile(sources, jar, old.toString());
        jars.add(jar.toUri().toURL());
        URLClassLoader loader = new URLClassLoader(jars.toArray(new URL[0]), before);
        loaders.add(loader);
        Thread.currentThread().setContextClassLoader(loader);
    }

    private static JavaFileObject unit(String name, String source) {
        return new SimpleJavaFileObject(URI.create("string:///" + name), JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return source;
            }
        };
    }

    private static void compile(List<JavaFileObject> sources, Path classes, String classPath) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StringWriter said = new StringWriter();
        boolean compiled = compiler.getTask(said, null, null,
                List.of("-d", classes.toString(), "-cp", classPath, "-proc:none"), null, sources).call();
        assertTrue(compiled, said::toString);
    }

    /// A provider of this name with these members besides, or instead.
    private void register(String name, String members) throws IOException, URISyntaxException {
        register(name, members, UnaryOperator.identity());
    }

    private static String backend(String members) {
        return "public Backend open(Device device, BackendOptions options) { return new Memory(this) { " + members
                + " }; } ";
    }

    private static Map<String, BackendReport> reports() {
        return Diagnostics.backends().stream().collect(Collectors.toMap(BackendReport::name, r -> r, (a, _) -> a));
    }

    private void assertLoads(String device, String backend) {
        Path file = directory.resolve("model.safetensors");
        byte[] bytes = new byte[3 << 20];
        new Random(17).nextBytes(bytes);
        SafetensorsFixture.create().tensor("t", DType.U8, Shape.of(bytes.length), bytes)
                .tensor("u", DType.F32, Shape.of(2, 2), 5).write(file);
        try (Loader loader = Loader.builder().device(device).build(); Weights weights = loader.load(file)) {
            assertEquals(backend, loader.backend().name());
            byte[] there = new byte[bytes.length];
            weights.get("t").copyTo(MemorySegment.ofArray(there));
            assertArrayEquals(bytes, there);
        }
    }

    @Test
    void a_backend_of_version_1_works() throws Exception {
        register("Acme", "");
        BackendReport report = reports().get("acme");
        assertEquals(Optional.empty(), report.probe().obstacle());
        assertEquals(Map.of("acme", "1.0"), report.probe().found().orElseThrow().versions());
        assertLoads("acme:0", "acme");
        assertLoads("auto", "acme");
    }

    @Test
    void direct_storage_of_paths_is_left_alone() throws Exception {
        register("Pathwise", "Set<Capability> capabilities() { return Set.of(Capability.DIRECT_STORAGE); } "
                + backend(
                        """
                                public Optional<DirectStorage> directStorage() {
                                    return Optional.of(new DirectStorage() {
                                        public Support support(java.nio.file.Path file) { return new Support(Mode.DIRECT, "old"); }
                                        public DirectFile open(java.nio.file.Path file) { throw new AssertionError(); }
                                    });
                                }"""));
        Probe.Available found = reports().get("pathwise").probe().found().orElseThrow();
        assertEquals(Set.of(), found.capabilities());
        assertEquals("1, whose direct storage is not used", found.versions().get("SPI"));
        assertLoads("pathwise:0", "pathwise");
    }

    @Test
    void what_does_not_go_together_is_refused_by_name_and_others_go_on() throws Exception {
        UnaryOperator<String> larger = spi -> spi
                .replace("interface Fence extends AutoCloseable {",
                        "interface Fence extends AutoCloseable { interface Gone { }")
                .replace("enum DeviceKind {", "enum DeviceKind { QUANTUM,")
                .replace("    MemoryInfo memory();", "    MemoryInfo memory(); default long gone() { return 0; }")
                .replace("public record BackendOptions(", "public record BackendOptions(int gone, ")
                .replace("new BackendOptions(false", "new BackendOptions(0, false");
        register("Field",
                "DeviceInfo info() { return new DeviceInfo(new Device(name(), 0), DeviceKind.QUANTUM, \"old\","
                        + " 1, -1, Map.of()); }",
                larger);
        register("Missing", "public Probe probe() { Object gone = new Fence.Gone() { }; return super.probe(); }",
                larger);
        register("Options",
                "public Backend open(Device device, BackendOptions options) { options.gone(); return null; }",
                larger);
        register("Memory2", backend("public MemoryInfo memory() { gone(); return super.memory(); }"), larger);
        register("Opening",
                backend("""
                        public CopyStream openCopyStream() {
                            return new CopyStream() {
                                public void copyToDevice(java.lang.foreign.MemorySegment source, DeviceBuffer target, long at) { }
                                public void copy(DeviceBuffer source, long from, DeviceBuffer target, long to, long bytes) { }
                                public Fence fence() { return null; }
                                public void waitFor(Fence fence) { }
                                public void synchronize() { }
                                public void close() { }
                            };
                        }"""),
                spi -> spi.replace("void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target);",
                        "default void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) { }"));
        register("Stream", backend("""
                public CopyStream openCopyStream() {
                    return new Copies() { public void synchronize() { gone(); } };
                }"""), larger);
        Map<String, BackendReport> reports = reports();
        String version = " (it is made for version 1 of the SPI, and this is version " + SpiVersion.CURRENT + ")";
        assertRefused(reports, "field", "its probe() fails: java.lang.NoSuchFieldError");
        assertRefused(reports, "missing", "its probe() fails: java.lang.NoClassDefFoundError");
        assertRefused(reports, "options", "its open() fails: java.lang.NoSuchMethodError", version);
        assertRefused(reports, "memory2", "its open() fails: java.lang.NoSuchMethodError", version);
        assertRefused(reports, "opening", "its open() fails: java.lang.AbstractMethodError", version);
        assertRefused(reports, "stream", "its open() fails: java.lang.NoSuchMethodError", version);
        assertTrue(reports.get("cpu").probe().isAvailable());
        assertLoads("cpu", "cpu");
    }

    @Test
    void a_backend_that_cannot_open_is_passed_over() throws Exception {
        UnaryOperator<String> larger = spi -> spi.replace("public record BackendOptions(",
                "public record BackendOptions(int gone, ")
                .replace("new BackendOptions(false", "new BackendOptions(0, false");
        register("Acme", "");
        register("Options",
                "public String deviceType() { return \"acme\"; } public int priority() { return 2000; } public"
                        + " Backend open(Device device, BackendOptions options) { options.gone(); return null; }",
                larger);
        assertLoads("acme:0", "acme");
        assertLoads("auto", "acme");
        BackendUnavailableException e =
                assertThrows(BackendUnavailableException.class,
                        () -> Loader.builder().device("acme:0").backend("options").build());
        assertTrue(e.getMessage().contains("options: not available: its open() fails: java.lang.NoSuchMethodError"),
                e.getMessage());
    }

    private static void assertRefused(Map<String, BackendReport> reports, String name, String... why) {
        String reason = Optional.ofNullable(reports.get(name)).flatMap(report -> report.probe().obstacle())
                .orElse("not refused: " + reports.get(name));
        for (String each : why) {
            assertTrue(reason.contains(each), name + ": " + reason);
        }
    }
}

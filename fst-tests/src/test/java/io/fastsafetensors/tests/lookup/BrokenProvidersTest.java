package io.fastsafetensors.tests.lookup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Jars whose providers break their promises, next to those that work.
class BrokenProvidersTest {
    /// Serves `broken` devices, if it works at all. Below, each breaks one promise.
    public static class Sound implements BackendProvider {
        @Override
        public String name() {
            return getClass().getSimpleName();
        }

        @Override
        public String deviceType() {
            return "broken";
        }

        @Override
        public int priority() {
            return 1000;
        }

        @Override
        public Probe probe() {
            return new Probe.Unavailable("there is no such device");
        }

        @Override
        public Backend open(Device device, BackendOptions options) {
            throw new UnsupportedOperationException();
        }
    }

    public static final class Name extends Sound {
        @Override
        public String name() {
            throw new AbstractMethodError("name");
        }
    }

    public static final class NullName extends Sound {
        @Override
        public String name() {
            return null;
        }
    }

    public static final class Type extends Sound {
        @Override
        public String deviceType() {
            throw new AbstractMethodError("deviceType");
        }
    }

    public static final class Priority extends Sound {
        @Override
        public int priority() {
            throw new IllegalStateException("priority");
        }
    }

    public static final class Probing extends Sound {
        @Override
        public Probe probe() {
            throw new AssertionError("probe");
        }
    }

    public static final class NullProbe extends Sound {
        @Override
        public Probe probe() {
            return null;
        }
    }

    public static final class Constructor extends Sound {
        public Constructor() {
            throw new IllegalStateException("constructor");
        }
    }

    public static class Transport implements ProcessGroupProvider {
        @Override
        public String name() {
            return getClass().getSimpleName();
        }

        @Override
        public Optional<String> unavailable() {
            throw new AbstractMethodError("unavailable");
        }

        @Override
        public ProcessGroup join(Bootstrap bootstrap) {
            throw new UnsupportedOperationException();
        }
    }

    public static final class NamelessTransport extends Transport {
        @Override
        public String name() {
            throw new AbstractMethodError("name");
        }
    }

    public static final class LinkingTransport extends Transport {
        @Override
        public Optional<String> unavailable() {
            return Optional.empty();
        }

        @Override
        public ProcessGroup join(Bootstrap bootstrap) {
            throw new NoSuchMethodError("join");
        }
    }

    public static final class LaterTransport extends Transport {
        @Override
        public int spiVersion() {
            return SpiVersion.CURRENT + 1;
        }
    }

    public static class Shelf implements StorageProvider {
        static final AtomicInteger MADE = new AtomicInteger();

        public Shelf() {
            MADE.incrementAndGet();
        }

        @Override
        public Set<String> schemes() {
            return Set.of("shelf");
        }

        @Override
        public Storage open(StorageOptions options) {
            throw new NoClassDefFoundError("storage");
        }
    }

    public static final class BrokenShelf extends Shelf {
        @Override
        public Set<String> schemes() {
            throw new AbstractMethodError("schemes");
        }
    }

    public static final class LaterShelf extends Shelf {
        @Override
        public Set<String> schemes() {
            return Set.of("later");
        }

        @Override
        public int spiVersion() {
            return SpiVersion.CURRENT + 1;
        }
    }

    private static final List<Class<?>> BACKENDS = List.of(Name.class, NullName.class, Type.class, Priority.class,
            Probing.class, NullProbe.class, Constructor.class, Sound.class);

    @TempDir
    Path directory;

    private ClassLoader before;
    private URLClassLoader broken;

    @BeforeEach
    void register() throws IOException {
        Path services = Files.createDirectories(directory.resolve("META-INF/services"));
        Files.writeString(services.resolve(BackendProvider.class.getName()),
                "not a class name\n" + BACKENDS.stream().map(Class::getName).collect(Collectors.joining("\n")));
        Path more = Files.createDirectories(directory.resolve("more/META-INF/services"));
        Files.writeString(more.resolve(BackendProvider.class.getName()),
                "no.such.Class\n" + BACKENDS.stream().map(Class::getName).collect(Collectors.joining("\n")));
        Files.writeString(more.resolve(ProcessGroupProvider.class.getName()),
                Stream.of(Transport.class, NamelessTransport.class, LinkingTransport.class, LaterTransport.class)
                        .map(Class::getName).collect(Collectors.joining("\n")));
        Files.writeString(more.resolve(StorageProvider.class.getName()), Stream
                .of(BrokenShelf.class, Shelf.class, LaterShelf.class).map(Class::getName)
                .collect(Collectors.joining("\n")));
        before = Thread.currentThread().getContextClassLoader();
        broken = new URLClassLoader(
                new URL[] {directory.toUri().toURL(), directory.resolve("more").toUri().toURL()},
                getClass().getClassLoader());
        Thread.currentThread().setContextClassLoader(broken);
    }

    @AfterEach
    void restore() throws IOException {
        Thread.currentThread().setContextClassLoader(before);
        broken.close();
    }

    private static String reason(Map<String, BackendReport> reports, String name) {
        BackendReport report = reports.get(name);
        return report == null ? "no line for " + name + " in " + reports.keySet()
                : ((Probe.Unavailable) report.probe()).reason();
    }

    @Test
    void each_broken_backend_is_one_line_and_the_others_work() {
        List<BackendReport> all = Diagnostics.backends();
        // Two services files have a fault of their own.
        assertEquals(2, all.stream().filter(r -> r.name().equals("(a services file)")).count(), all::toString);
        Map<String, BackendReport> reports = all.stream().filter(r -> !r.name().equals("(a services file)"))
                .collect(Collectors.toMap(BackendReport::name, r -> r));
        assertEquals("its name() fails: java.lang.AbstractMethodError: name", reason(reports, Name.class.getName()));
        assertEquals("its name() is null", reason(reports, NullName.class.getName()));
        assertEquals("its deviceType() fails: java.lang.AbstractMethodError: deviceType", reason(reports, "Type"));
        assertEquals("its priority() fails: java.lang.IllegalStateException: priority", reason(reports, "Priority"));
        assertEquals("its probe() fails: java.lang.AssertionError: probe", reason(reports, "Probing"));
        assertEquals("its probe() is null", reason(reports, "NullProbe"));
        assertTrue(reason(reports, Constructor.class.getName()).startsWith("its provider cannot be constructed: "),
                () -> reason(reports, Constructor.class.getName()));
        assertEquals("there is no such device", reason(reports, "Sound"));
        try (Loader loader = Loader.builder().device("cpu").build()) {
            assertEquals("cpu", loader.backend().name());
        }
        BackendUnavailableException none = assertThrows(BackendUnavailableException.class,
                () -> Loader.builder().device("broken:0").build());
        assertTrue(none.getMessage().contains("Priority: not available: its priority() fails"), none.getMessage());
    }

    @Test
    void each_broken_transport_is_one_line_and_the_others_work() {
        Map<String, Optional<String>> reports = Diagnostics.groups().stream()
                .collect(Collectors.toMap(Diagnostics.GroupReport::name, Diagnostics.GroupReport::unavailable));
        assertEquals(Optional.of("its unavailable() fails: java.lang.AbstractMethodError: unavailable"),
                reports.get("Transport"));
        assertEquals(Optional.of("its name() fails: java.lang.AbstractMethodError: name"),
                reports.get(NamelessTransport.class.getName()));
        assertTrue(reports.containsKey("mpi"), reports::toString);
        assertTrue(reports.get("LaterTransport").orElse("").startsWith("it is made for version "), reports::toString);
        UnsupportedFeatureException linking = assertThrows(UnsupportedFeatureException.class,
                () -> ProcessGroups.join("LinkingTransport",
                        new Bootstrap(0, 2, 0, Device.CPU, Duration.ofSeconds(1), Map.of())));
        assertTrue(linking.getMessage().startsWith("the transport LinkingTransport does not go together"),
                linking.getMessage());
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> ProcessGroups.join("Transport",
                        new Bootstrap(0, 2, 0, Device.CPU, Duration.ofSeconds(1), Map.of())));
        assertTrue(e.getMessage().contains("its unavailable() fails"), e.getMessage());
    }

    @Test
    void broken_storages_hide_no_other() {
        StorageException broken = assertThrows(StorageException.class,
                () -> Safetensors.open(Location.of("shelf://a/b.safetensors")));
        assertTrue(broken.getMessage().contains("the storage of scheme shelf (" + Shelf.class.getName()
                + ") does not go together"), broken.getMessage());
        UnsupportedFeatureException none = assertThrows(UnsupportedFeatureException.class,
                () -> Safetensors.open(Location.of("later://a/b.safetensors")));
        assertTrue(none.getMessage().contains("LaterShelf for [later]: it is made for version"), none.getMessage());
        assertTrue(none.getMessage().contains("BrokenShelf fails: java.lang.AbstractMethodError"), none.getMessage());
    }

    @Test
    void a_missing_backend_is_named_by_its_artifact() {
        BackendUnavailableException cuda = assertThrows(BackendUnavailableException.class,
                () -> Loader.builder().device("cuda:0").build());
        assertTrue(cuda.getMessage().contains("add fst-backend-cuda-nogds or fst-backend-cuda-gds"), cuda.getMessage());
        assertTrue(cuda.getMessage().contains("META-INF/services files are merged"), cuda.getMessage());
        UnsupportedFeatureException nccl = assertThrows(UnsupportedFeatureException.class,
                () -> ProcessGroups.join("nccl", new Bootstrap(0, 2, 0, Device.CPU, Duration.ofSeconds(1), Map.of())));
        assertTrue(nccl.getMessage().contains("add fst-backend-cuda-nogds"), nccl.getMessage());
    }

    @Test
    void a_local_file_is_opened_without_any_storage_provider() {
        Path file = directory.resolve("a.safetensors");
        SafetensorsFixture.create().tensor("t", DType.U8, Shape.of(1), new byte[1]).write(file);
        int before = Shelf.MADE.get();
        assertEquals(Set.of("t"), Safetensors.open(file).names());
        assertEquals(before, Shelf.MADE.get(), "providers that were constructed");
        assertThrows(StorageException.class, () -> Safetensors.open(Location.of("shelf://a/b.safetensors")));
        assertTrue(Shelf.MADE.get() > before, "an address looks for its provider");
    }
}

package io.fastsafetensors.testkit.leak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineTestKit;

class LeakExtensionTest {
    private static final List<Closeable> LEFT = new ArrayList<>();
    private static FaultyBackendProvider faulty = provider();

    private static FaultyBackendProvider provider() {
        return new FaultyBackendProvider(HostProvider.minimal(), FaultPlan.seeded(1));
    }

    @BeforeEach
    void reset() {
        faulty = provider();
    }

    @AfterEach
    void cleanUp() throws IOException {
        for (Closeable leak : LEFT) {
            leak.close();
        }
        LEFT.clear();
    }

    @Test
    void open_files_are_found() {
        onLinux();
        assertTrue(run("leaves_a_file").contains("open file "), run("leaves_a_file"));
    }

    @Test
    void deleted_files_are_found() {
        onLinux();
        assertTrue(run("leaves_a_deleted_file").contains(" (deleted)"));
    }

    @Test
    void threads_are_found() {
        assertTrue(run("leaves_a_thread").contains("thread fst-leak-test"));
    }

    @Test
    void mappings_are_found() {
        onLinux();
        assertTrue(run("leaves_a_mapping").contains("mapping of "));
    }

    @Test
    void memory_is_found() {
        onLinux();
        assertTrue(run("leaves_memory").contains("anonymous memory grew"));
    }

    @Test
    void backend_objects_are_found() {
        String message = run("leaves_a_backend_object");
        assertTrue(message.contains("BACKEND opened at ") && message.contains("LeakExtensionTest"), message);
    }

    @Test
    void what_is_closed_is_no_leak() {
        assertEquals("", run("leaves_nothing"));
    }

    @Test
    void what_ends_soon_is_no_leak() {
        assertEquals("", run(Patient.class, "leaves_an_ending_thread"));
    }

    @Test
    void other_threads_are_no_leak() {
        assertEquals("", run("leaves_a_thread_of_others"));
    }

    private static void onLinux() {
        Assumptions.assumeTrue(Files.isDirectory(Path.of("/proc/self/fd")), "no /proc here: files are not looked at");
    }

    /// What the extension said of one method of a class below; empty if the test passed.
    private static String run(String method) {
        return run(Leaky.class, method);
    }

    private static String run(Class<?> tests, String method) {
        return EngineTestKit.engine("junit-jupiter").selectors(selectMethod(tests, method)).execute()
                .testEvents().finished().stream().map(e -> e.getRequiredPayload(TestExecutionResult.class))
                .flatMap(r -> r.getThrowable().stream()).map(t -> String.valueOf(t.getMessage())).findFirst()
                .orElse("");
    }

    /// Waits longer than any machine needs.
    static class Patient {
        @RegisterExtension
        LeakExtension leaks = LeakExtension.strict().patience(Duration.ofMinutes(2));

        @Test
        void leaves_an_ending_thread() {
            Thread.ofPlatform().daemon().name("fst-ending").start(() -> {
                try {
                    Thread.sleep(100);
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            });
        }
    }

    static class Leaky {
        @RegisterExtension
        LeakExtension leaks = LeakExtension.strict().patience(Duration.ofMillis(500)).memoryTolerance(16 << 20)
                .counting(() -> faulty.objects());

        @Test
        void leaves_a_file() throws IOException {
            LEFT.add(FileChannel.open(temporary()));
        }

        @Test
        void leaves_a_deleted_file() throws IOException {
            Path path = temporary();
            LEFT.add(FileChannel.open(path));
            Files.delete(path);
        }

        @Test
        void leaves_a_thread() {
            hold("fst-leak-test");
        }

        @Test
        void leaves_a_thread_of_others() {
            hold("other-leak-test");
        }

        @Test
        void leaves_a_mapping() throws IOException {
            Arena arena = heldArena();
            try (FileChannel channel = FileChannel.open(temporary())) {
                channel.map(FileChannel.MapMode.READ_ONLY, 0, 5, arena);
            }
        }

        @Test
        void leaves_memory() {
            Arena arena = heldArena();
            arena.allocate(64 << 20);
        }

        @Test
        void leaves_a_backend_object() {
            LEFT.add(faulty.open(HostProvider.DEVICE, BackendOptions.defaults())::close);
        }

        @Test
        void leaves_nothing() throws IOException {
            try (FileChannel channel = FileChannel.open(temporary());
                    Arena arena = Arena.ofShared();
                    Backend backend = faulty.open(HostProvider.DEVICE, BackendOptions.defaults())) {
                channel.map(FileChannel.MapMode.READ_ONLY, 0, 5, arena);
                backend.allocate(1, 1).close();
            }
        }

        @SuppressWarnings("MustBeClosedChecker")
        private static Arena heldArena() {
            Arena arena = Arena.ofShared();
            LEFT.add(arena::close);
            return arena;
        }

        private static void hold(String name) {
            CountDownLatch end = new CountDownLatch(1);
            LEFT.add(end::countDown);
            Thread.ofPlatform().daemon().name(name).start(() -> {
                try {
                    end.await();
                } catch (InterruptedException _) {
                    Thread.currentThread().interrupt();
                }
            });
        }

        private static Path temporary() {
            try {
                Path path = Files.writeString(Files.createTempFile("leak", ""), "12345");
                LEFT.add(() -> Files.deleteIfExists(path));
                return path;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}

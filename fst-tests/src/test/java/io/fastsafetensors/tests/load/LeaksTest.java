package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.testkit.leak.ProcessSnapshot;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(600)
class LeaksTest {
    private static final int CYCLES = 1000;
    private static final int BYTES = 1 << 20;

    @TempDir
    Path directory;

    private Path file;

    @BeforeEach
    void write() {
        assumeTrue(Files.isDirectory(Path.of("/proc/self/fd")), "what a process holds is read from /proc");
        file = directory.resolve("model.safetensors");
        Samples.write(file, 4, BYTES, 5);
    }

    /// The resources that the process holds.
    private record Holdings(long descriptors, long threads, ProcessSnapshot others) {
        static Holdings now() throws IOException {
            try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
                return new Holdings(fds.count(), readers(), ProcessSnapshot.take("fst-"));
            }
        }

        /// Threads that stay; one that has done its work needs a moment to end.
        private static long readers() {
            return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("fst-"))
                    .filter(Holdings::stays).count();
        }

        private static boolean stays(Thread thread) {
            try {
                return !thread.join(Duration.ofSeconds(60));
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static void assertNothingLeft(Holdings before, Supplier<String> what) throws IOException {
        Holdings after = Holdings.now();
        assertEquals(before.descriptors(), after.descriptors(), what);
        assertEquals(0, after.threads(), what);
        assertEquals(List.of(), LeakExtension.strict().leaksSince(before.others()), what);
    }

    private interface Cycle {
        void run(int number) throws IOException;
    }

    private static void cycles(int count, Cycle cycle) throws IOException {
        for (int i = 0; i < 50; i++) {
            cycle.run(i);
        }
        Holdings before = Holdings.now();
        for (int i = 0; i < count; i++) {
            cycle.run(i);
        }
        assertNothingLeft(before, () -> count + " cycles");
    }

    @Test
    @Tag("slow")
    void a_thousand_loads_leave_nothing() throws IOException {
        cycles(CYCLES, i -> {
            try (Weights weights = Safetensors.load(file, Device.CPU)) {
                Tensor tensor = weights.get("t" + i % 4);
                tensor.slice(Slice.every(2));
                try (Tensor kept = tensor.to(DType.BF16).detach()) {
                    assertEquals(2L * BYTES, kept.byteSize());
                }
            }
        });
    }

    @Test
    @Tag("slow")
    void closing_in_the_middle_leaves_nothing() throws IOException {
        Random random = new Random(3);
        cycles(300, i -> {
            try (Loader loader = Loader.builder().blockBytes(16 << 10).dtype(DType.F32).build()) {
                Weights weights = loader.load(file);
                if (random.nextBoolean()) {
                    weights.get("t0");
                }
                weights.close();
            }
        });
    }

    @Test
    @Tag("slow")
    void a_file_that_is_cut_during_the_load_leaves_nothing() throws IOException {
        cycles(100, i -> {
            Path victim = Files.copy(file, directory.resolve("victim.safetensors"));
            try (Loader loader = Loader.builder().blockBytes(4096).readers(2).progress((done, total) -> cut(victim))
                    .build(); Weights weights = loader.load(victim)) {
                StorageException e = assertThrows(StorageException.class, weights::awaitAll);
                assertEquals(victim.toString(), e.where().file());
                assertTrue(e.getMessage().contains("shrank"), e.getMessage());
            } finally {
                Files.delete(victim);
            }
        });
    }

    private static void cut(Path victim) {
        try (FileChannel channel = FileChannel.open(victim, StandardOpenOption.WRITE)) {
            channel.truncate(BYTES);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void what_was_dropped_unclosed_is_freed_and_named() throws IOException, InterruptedException {
        try (LeakLog log = new LeakLog()) {
            drop();
            assertTrue(log.waitFor("weights of " + file), log.toString());
            assertTrue(log.waitFor("detached tensor \"t1\""), log.toString());
        }
    }

    private void drop() {
        try (Loader loader = Loader.builder().leakDetection(LeakDetection.STACK).build()) {
            Weights weights = loader.load(file);
            weights.get("t1").detach();
        }
    }
}

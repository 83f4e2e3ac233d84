package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.leak.LeakExtension;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// Many loads at once share the readers and the page-locked memory of the process.
@Timeout(600)
@ExtendWith(LeakExtension.class)
class ManyLoadsTest {
    private static final long SEED = Long.getLong("fst.seed", 20261130);
    private static final int LOADS = 40;
    private static final int READERS = Math.max(16, 2 * Runtime.getRuntime().availableProcessors());

    @TempDir
    Path directory;
    private OpenObjects objects = RemoteProvider.behave(FaultPlan.seeded(SEED));

    @BeforeEach
    void slow() {
        objects = RemoteProvider.behave(
                FaultPlan.seeded(SEED).delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(2)));
    }

    @AfterEach
    void nothing_is_left() {
        System.clearProperty("fst.pageLockedBytes");
        assertEquals(Map.of(), objects.counts(), () -> objects.describe());
        assertEquals(0, MeteredProvider.staging());
    }

    private static long readers() {
        return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("fst-reader-")).count();
    }

    @Test
    void readers_and_page_locked_bytes_stay_within_their_bounds() throws Exception {
        Map<String, String> digests = Samples.write(directory.resolve("model.safetensors"), 30, 100_000, SEED);
        System.setProperty("fst.pageLockedBytes", Long.toString(200 << 20));
        MeteredProvider.stagingPeak();
        AtomicLong most = new AtomicLong();
        List<Loader> loaders = new ArrayList<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(LOADS)) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < LOADS; i++) {
                // Slots of every size are pools of their own: together they would be 660 MiB.
                Loader loader = Loader.builder().device("remote").transferPath(TransferPath.STAGED).readers(6)
                        .blockBytes((1 + i % 10) << 20)
                        .progress((_, _) -> most.accumulateAndGet(readers(), Math::max)).build();
                loaders.add(loader);
                all.add(threads.submit(() -> {
                    try (Weights weights = loader.load(directory)) {
                        weights.awaitAll();
                        assertEquals(digests.keySet(), weights.names());
                    }
                }));
            }
            for (Future<?> load : all) {
                load.get();
            }
        } finally {
            loaders.forEach(Loader::close);
        }
        // A header of one file is read by its caller; what has just ended its work may still be counted.
        assertTrue(most.get() <= READERS, most + " readers");
        long bytes = MeteredProvider.stagingPeak();
        assertTrue(bytes <= 200L << 20, bytes + " page-locked bytes");
    }

    @Test
    void two_equal_loads_advance_alike() {
        Samples.write(directory.resolve("model.safetensors"), 400, 4096, SEED);
        AtomicLong first = new AtomicLong();
        AtomicLong second = new AtomicLong();
        AtomicLong atEnd = new AtomicLong(-1);
        try (Loader one = Loader.builder().device("near").readers(64).blockBytes(4096).progress((done, all) -> {
            LockSupport.parkNanos(2_000_000);
            first.set(done);
            if (done == all) {
                atEnd.compareAndSet(-1, second.get());
            }
        }).build(); Loader other = Loader.builder().device("near").readers(64).blockBytes(4096).progress((done, _) -> {
            LockSupport.parkNanos(2_000_000);
            second.set(done);
        }).build(); Weights a = one.load(directory); Weights b = other.load(directory)) {
            a.awaitAll();
            b.awaitAll();
        }
        assertTrue(atEnd.get() * 2 > first.get(), "when the first load was done with its " + first + " bytes, the other"
                + " had " + atEnd);
    }
}

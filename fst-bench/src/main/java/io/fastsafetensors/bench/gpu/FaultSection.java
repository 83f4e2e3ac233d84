package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.DeviceBuffer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/// Loads that fail or are given up, again and again: each ends with a clear error or cleanly, and leaves nothing behind
/// once what is kept for the next load was given back.
final class FaultSection implements Section {
    private static final int TRUNCATIONS = 7;
    /// Closed loads before the first look: the most readers and slots that the loads behind them take are there then, and
    /// the code that they run is compiled.
    private static final int WARM_UPS = 40;
    private static final int EXHAUSTIONS = 3;
    private static final long LARGEST_CHUNK = 8L << 30;
    /// What a driver may need for itself.
    private static final long LEFT_FREE = 64L << 20;
    private static final long ALIGNMENT = 4096;

    @Override
    public void run(Bench bench) {
        Path victim = bench.checkpoints().victim();
        boolean ownMemory = bench.backend().memory().total() != hostBytes();
        try (Loader loader = bench.builder().build()) {
            LoadRun.of(loader, victim);
            double seconds = LoadRun.of(loader, victim).seconds();
            closes(WARM_UPS, loader, victim, seconds);
            loader.trim();
            HeldResources before = HeldResources.now(bench.backend());
            closes(bench.settings().closes(), loader, victim, seconds);
            judge(bench, loader, "close() during a load × " + bench.settings().closes(), "no error", before, ownMemory);
            if (ownMemory) {
                judge(bench, loader, "device memory exhausted by another allocation × " + EXHAUSTIONS,
                        exhaustions(bench.backend(), loader, victim), before, true);
            } else {
                bench.report().notApplicable("device memory exhausted by another allocation",
                        "this device's memory is the host's");
            }
            judge(bench, loader, "file cut off during its load × " + TRUNCATIONS, truncations(loader, victim), before,
                    ownMemory);
        }
        Checkpoints.delete(victim);
    }

    /// What is kept for the next load (device memory, page-locked slots) is given back first: the rest is what leaked.
    private static void judge(Bench bench, Loader loader, String what, String outcome, HeldResources before,
            boolean ownMemory) {
        loader.trim();
        bench.backend().trim();
        String left = before.growth(bench.backend(), ownMemory);
        bench.report().row(what, "a clear error or none, nothing left behind",
                outcome + (left.isEmpty() ? "; nothing left behind" : "; left behind: " + left), left.isEmpty());
    }

    private static void closes(int count, Loader loader, Path path, double seconds) {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < count; i++) {
            try (Weights weights = loader.load(path)) {
                LockSupport.parkNanos((long) (seconds * 1e9 * random.nextDouble()));
                // Closing is what is tested: not one tensor was asked for.
                if (weights.isClosed()) {
                    throw new IllegalStateException("closed by itself");
                }
            }
        }
    }

    private static String exhaustions(Backend backend, Loader loader, Path path) {
        String message = "";
        for (int i = 0; i < EXHAUSTIONS; i++) {
            Deque<DeviceBuffer> hoard = new ArrayDeque<>();
            try {
                hoard(backend, hoard, Math.min(LEFT_FREE, path.toFile().length() / 4));
                try (Weights weights = loader.load(path)) {
                    weights.awaitAll();
                    throw new IllegalStateException(path + " was loaded into a device with " + backend.memory().free()
                            + " bytes free");
                }
            } catch (OutOfDeviceMemoryException e) {
                message = String.valueOf(e.getMessage());
            } finally {
                hoard.forEach(DeviceBuffer::close);
            }
        }
        return message;
    }

    /// Takes all the device's memory but for less than `left` bytes.
    private static void hoard(Backend backend, Deque<DeviceBuffer> hoard, long left) {
        for (long chunk = LARGEST_CHUNK; chunk >= left;) {
            try {
                hoard.push(backend.allocate(chunk, ALIGNMENT));
            } catch (OutOfDeviceMemoryException _) {
                chunk /= 2;
            }
        }
    }

    private static String truncations(Loader loader, Path path) {
        long length = path.toFile().length();
        String message = "";
        int errors = 0;
        for (int i = 0; i < TRUNCATIONS; i++) {
            try (Weights weights = loader.load(path)) {
                resize(path, length / 2, false);
                weights.awaitAll();
            } catch (StorageException e) {
                errors++;
                message = String.valueOf(e.getMessage());
            }
            resize(path, length, true);
        }
        if (errors == 0) {
            throw new IllegalStateException("every load was faster than the cut");
        }
        return errors + " errors, such as: " + message;
    }

    private static void resize(Path path, long length, boolean grow) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            if (grow) {
                channel.write(ByteBuffer.allocate(1), length - 1);
            } else {
                channel.truncate(length);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long hostBytes() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getTotalMemorySize();
    }
}

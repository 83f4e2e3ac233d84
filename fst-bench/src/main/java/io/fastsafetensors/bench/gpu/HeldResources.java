package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.testkit.leak.ProcessSnapshot;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;

/// A snapshot of the resources of this process and its device, which must be the same before and after a fault.
///
/// @param process open files and fst's threads
/// @param descriptors open descriptors of every kind
/// @param writable bytes of writable mappings but for the Java heap: page-locked memory is among them
/// @param deviceFree free bytes of the device
record HeldResources(ProcessSnapshot process, long descriptors, long writable, long deviceFree) {
    /// The driver's own pools, code and class memory may move by this much.
    private static final long TOLERANCE = 64L << 20;
    private static final String READER = "fst-reader-";
    /// As docs/configuration.md has it for `fst.maxReaders`.
    private static final int MOST_READERS = Math.max(16, 2 * Runtime.getRuntime().availableProcessors());
    private static final int TRIES = 50;
    private static final long PAUSE_MILLIS = 100;

    static HeldResources now(Backend backend) {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"));
                Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            long writable =
                    maps.filter(line -> line.split(" ", 3)[1].indexOf('w') >= 0).mapToLong(HeldResources::length).sum();
            return new HeldResources(ProcessSnapshot.take("fst"), descriptors.count(),
                    writable - Runtime.getRuntime().totalMemory(), backend.memory().free());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Waits a moment for the system to catch up.
    ///
    /// @param ownMemory whether the device's memory is its own, so that nobody else changes what is free
    /// @return what is still held beyond this; empty if nothing is
    String growth(Backend backend, boolean ownMemory) {
        String difference = "";
        for (int i = 0; i < TRIES; i++) {
            difference = difference(now(backend), ownMemory);
            if (difference.isEmpty()) {
                return "";
            }
            try {
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return difference;
            }
        }
        return difference;
    }

    private String difference(HeldResources after, boolean ownMemory) {
        StringBuilder text = new StringBuilder();
        if (!after.process.files().equals(process.files())) {
            text.append(" files ").append(process.files()).append(" became ").append(after.process.files());
        }
        if (others(after.process.threads()) > others(process.threads())
                || readers(after.process.threads()) > MOST_READERS) {
            text.append(" threads ").append(process.threads()).append(" became ").append(after.process.threads());
        }
        if (after.descriptors != descriptors) {
            text.append(" descriptors ").append(descriptors).append(" became ").append(after.descriptors);
        }
        if (after.writable - writable > TOLERANCE) {
            text.append(" host memory grew by ").append(after.writable - writable);
        }
        if (ownMemory && deviceFree - after.deviceFree > TOLERANCE) {
            text.append(" device memory shrank by ").append(deviceFree - after.deviceFree);
        }
        return text.toString().strip();
    }

    private static long length(String line) {
        int dash = line.indexOf('-');
        return Long.parseUnsignedLong(line.substring(dash + 1, line.indexOf(' ')), 16)
                - Long.parseUnsignedLong(line.substring(0, dash), 16);
    }

    /// Readers are a pool of the process: they stay for the next load, and end when nothing has been to do for a while.
    private static int readers(Map<String, Integer> threads) {
        return threads.entrySet().stream().filter(thread -> thread.getKey().startsWith(READER))
                .mapToInt(Map.Entry::getValue).sum();
    }

    private static int others(Map<String, Integer> threads) {
        return threads.values().stream().mapToInt(Integer::intValue).sum() - readers(threads);
    }
}

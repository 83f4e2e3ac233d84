package io.fastsafetensors.cli;

import io.fastsafetensors.api.LoadStats;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;

/// The steps from the start of the process to the end of its first load, each by the seconds since the kernel made the
/// process. What lies between two steps is what there is to gain. Not thread-safe.
///
/// The kernel tells a process's start in hundredths of a second, so all of them are late by as much at most.
final class Timeline {
    private final Map<String, Long> nanos = new LinkedHashMap<>();

    /// The command line was read.
    Timeline() {
        reach("at_command", System.nanoTime());
    }

    /// Only the first of equal steps counts: that of the first load.
    private void reach(String step, long at) {
        nanos.putIfAbsent(step, at);
    }

    /// The device is open.
    void opened() {
        reach("at_device_open", System.nanoTime());
    }

    /// The load is called.
    void load() {
        reach("at_load", System.nanoTime());
    }

    /// The load has ended.
    ///
    /// @param seconds how long it took
    void loaded(LoadStats stats, double seconds) {
        long start = nanos.getOrDefault("at_load", 0L);
        reach("at_plan", start + (long) (stats.secondsPlan() * 1e9));
        reach("at_first_tensor", start + (long) (stats.secondsFirstTensor() * 1e9));
        reach("at_all", start + (long) (seconds * 1e9));
    }

    /// Hands out every step as seconds since the start of the process; nothing where the system does not tell that.
    void forEach(BiConsumer<String, Cell> report) {
        ProcessHandle.current().info().startInstant().ifPresent(began -> {
            long now = System.nanoTime();
            double sinceBegin = Duration.between(began, Instant.now()).toNanos() / 1e9;
            nanos.forEach((step, at) -> {
                double seconds = sinceBegin - (now - at) / 1e9;
                report.accept(step, Cell.decimal(seconds, Sizes.time(seconds)));
            });
        });
    }
}

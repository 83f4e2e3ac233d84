package io.fastsafetensors.cli;

import io.fastsafetensors.api.LoadStats;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;

/// The steps from the start of the process to the end of its first load, each by the seconds since the kernel made the
/// process. What lies between two steps is what there is to gain. Not thread-safe.
///
/// The kernel tells a process's start and its own age in hundredths of a second, so all of them are off by as much.
final class Timeline {
    /// The place of `starttime` behind the name.
    private static final int START_TIME = 19;
    /// Of the kernel to programs, on every architecture that this runs on.
    private static final double TICKS = 100;

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
        double age = ageSeconds();
        long now = System.nanoTime();
        if (age < 0) {
            return;
        }
        nanos.forEach((step, at) -> {
            double seconds = age - (now - at) / 1e9;
            report.accept(step, Cell.decimal(seconds, Sizes.time(seconds)));
        });
    }

    /// How long this process has been there, by proc_pid_stat(5) and proc_uptime(5); negative where they are not.
    private static double ageSeconds() {
        try {
            String stat = Files.readString(Path.of("/proc/self/stat"));
            // The second field is a name in parentheses, which may have spaces.
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
            double up = Double.parseDouble(Files.readString(Path.of("/proc/uptime")).split(" ", 2)[0]);
            return up - Double.parseDouble(fields[START_TIME]) / TICKS;
        } catch (IOException | NumberFormatException e) {
            return -1;
        }
    }
}

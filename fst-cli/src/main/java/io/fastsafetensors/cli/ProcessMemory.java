package io.fastsafetensors.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// This process's memory as Linux counts it.
final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String PEAK = "VmHWM:";

    private ProcessMemory() {
    }

    /// The most physical memory that the process ever had, in bytes; −1 where the system does not say.
    static long peakResidentBytes() {
        try {
            for (String line : Files.readAllLines(STATUS)) {
                if (line.startsWith(PEAK)) {
                    return 1024 * Long.parseLong(line.substring(PEAK.length()).replace("kB", "").strip());
                }
            }
        } catch (IOException | NumberFormatException e) {
            return -1;
        }
        return -1;
    }
}

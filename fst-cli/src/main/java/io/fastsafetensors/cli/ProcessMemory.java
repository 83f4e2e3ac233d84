package io.fastsafetensors.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// This process's memory as Linux counts it.
public final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");

    private ProcessMemory() {
    }

    /// The most physical memory that the process ever had, in bytes; −1 where the system does not say.
    public static long peakResidentBytes() {
        return status("VmHWM:");
    }

    /// The physical memory that the process has now, in bytes; −1 where the system does not say.
    public static long residentBytes() {
        return status("VmRSS:");
    }

    private static long status(String field) {
        try {
            for (String line : Files.readAllLines(STATUS)) {
                if (line.startsWith(field)) {
                    return 1024 * Long.parseLong(line.substring(field.length()).replace("kB", "").strip());
                }
            }
        } catch (IOException | NumberFormatException e) {
            return -1;
        }
        return -1;
    }
}

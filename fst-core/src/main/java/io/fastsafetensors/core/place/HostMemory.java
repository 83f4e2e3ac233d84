package io.fastsafetensors.core.place;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;

/// How much memory this machine has.
final class HostMemory {
    private static final long ASSUMED = 8L << 30;

    private HostMemory() {
    }

    /// Bytes in all; 8 GiB where the system does not say.
    static long total() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/meminfo"))) {
                if (line.startsWith("MemTotal:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
        } catch (IOException e) {
            System.getLogger("io.fastsafetensors.core").log(Level.DEBUG, "no /proc/meminfo", e);
        }
        return ASSUMED;
    }
}

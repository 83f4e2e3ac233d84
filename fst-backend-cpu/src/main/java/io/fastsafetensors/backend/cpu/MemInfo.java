package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.MemoryInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The kernel's account of memory, read anew at each question; −1 where it cannot be had.
///
/// @param file `/proc/meminfo`, or what stands for it
record MemInfo(Path file) {
    static final MemInfo OF_LINUX = new MemInfo(Path.of("/proc/meminfo"));

    /// Free (what could be allocated without swapping) and total bytes.
    MemoryInfo read() {
        List<String> lines;
        try {
            lines = Files.readAllLines(file);
        } catch (IOException e) {
            return new MemoryInfo(-1, -1);
        }
        return new MemoryInfo(find(lines, "MemAvailable:"), find(lines, "MemTotal:"));
    }

    /// A line such as `MemTotal:       24601156 kB`.
    private static long find(List<String> lines, String key) {
        for (String line : lines) {
            if (line.startsWith(key) && line.endsWith(" kB")) {
                try {
                    return Long.parseLong(line.substring(key.length(), line.length() - 3).strip()) << 10;
                } catch (NumberFormatException e) {
                    return -1;
                }
            }
        }
        return -1;
    }
}

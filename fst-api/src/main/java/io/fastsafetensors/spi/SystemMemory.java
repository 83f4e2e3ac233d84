package io.fastsafetensors.spi;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Reads how much host memory this process may still take: what the machine has, or what its container (control groups,
/// version 1 and 2) allows, whichever is less. For backends whose memory is the host's. Thread-safe; nothing is cached but
/// the places of the container's files.
public final class SystemMemory {
    private static final SystemMemory OF_THIS_PROCESS = new SystemMemory(Path.of("/proc"));
    /// Values from here on are how control groups of version 1 say "no limit".
    private static final long NO_LIMIT = 1L << 60;

    private final Path meminfo;
    private final List<Group> groups;

    /// A control group that limits this process.
    ///
    /// @param directory where its files are
    /// @param unified whether it is of version 2
    private record Group(Path directory, boolean unified) {
        /// The bytes that it allows, [Long#MAX_VALUE] without a limit.
        long limit() {
            long limit = number(directory.resolve(unified ? "memory.max" : "memory.limit_in_bytes"));
            return limit < 0 || limit >= NO_LIMIT ? Long.MAX_VALUE : limit;
        }

        /// What its processes take and the kernel cannot take away: page cache is not among it.
        long used() {
            long used = number(directory.resolve(unified ? "memory.current" : "memory.usage_in_bytes"));
            List<String> stat = lines(directory.resolve("memory.stat"));
            String prefix = unified ? "" : "total_";
            long cache = Math.max(0, find(stat, prefix + "inactive_file ", 1))
                    + Math.max(0, find(stat, prefix + "active_file ", 1));
            return Math.max(0, used - cache);
        }
    }

    /// The memory as a `/proc` directory tells it.
    ///
    /// @param proc `/proc`, or what stands for it in a test
    public SystemMemory(Path proc) {
        this.meminfo = proc.resolve("meminfo");
        this.groups = groups(lines(proc.resolve("self/cgroup")), lines(proc.resolve("self/mountinfo")));
    }

    /// The memory of this process.
    public static SystemMemory ofThisProcess() {
        return OF_THIS_PROCESS;
    }

    /// Free bytes (what could be allocated, page cache given up and free swap space used) and total bytes; −1 where the
    /// system does not say.
    public MemoryInfo read() {
        List<String> lines = lines(meminfo);
        long free = find(lines, "MemAvailable:", 1 << 10);
        if (free >= 0) {
            free += Math.max(0, find(lines, "SwapFree:", 1 << 10));
        }
        long total = find(lines, "MemTotal:", 1 << 10);
        for (Group group : groups) {
            long limit = group.limit();
            if (limit < Long.MAX_VALUE) {
                long left = Math.max(0, limit - group.used());
                free = free < 0 ? left : Math.min(free, left);
                total = total < 0 ? limit : Math.min(total, limit);
            }
        }
        return MemoryInfo.of(free, total);
    }

    /// The group of this process and those around it, as far as they are mounted here.
    private static List<Group> groups(List<String> membership, List<String> mounts) {
        List<Group> groups = new ArrayList<>();
        for (String mount : mounts) {
            // 35 31 0:32 ROOT POINT rw,relatime - TYPE SOURCE OPTIONS
            String[] fields = mount.split(" ", -1);
            int dash = Arrays.asList(fields).indexOf("-");
            if (dash < 5 || fields.length < dash + 4) {
                continue;
            }
            boolean unified = fields[dash + 1].equals("cgroup2");
            boolean memory = fields[dash + 1].equals("cgroup")
                    && Arrays.asList(fields[dash + 3].split(",", -1)).contains("memory");
            if (unified || memory) {
                addGroups(Path.of(fields[3]), Path.of(fields[4]), unified, pathOf(membership, unified), groups);
            }
        }
        return List.copyOf(groups);
    }

    /// The path of this process's group, from `ID:CONTROLLERS:PATH`.
    private static Path pathOf(List<String> membership, boolean unified) {
        for (String line : membership) {
            String[] fields = line.split(":", 3);
            boolean right = fields.length == 3 && (unified ? fields[1].isEmpty()
                    : Arrays.asList(fields[1].split(",", -1)).contains("memory"));
            if (right) {
                return Path.of(fields[2]);
            }
        }
        return Path.of("/");
    }

    private static void addGroups(Path root, Path point, boolean unified, Path path, List<Group> groups) {
        // A container often sees its own group as the root of the mount, whatever the path says.
        Path inside = path.startsWith(root) ? point.resolve(root.relativize(path).toString()) : point;
        for (Path at = Files.isDirectory(inside) ? inside : point; at != null && at.startsWith(point); at =
                at.getParent()) {
            groups.add(new Group(at, unified));
        }
    }

    private static long number(Path file) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? -1 : parse(lines.getFirst());
    }

    /// A line such as `MemTotal:       24601156 kB`.
    private static long find(List<String> lines, String key, long unit) {
        for (String line : lines) {
            if (line.startsWith(key)) {
                String value = line.substring(key.length()).strip();
                if (unit != 1) {
                    value = value.endsWith(" kB") ? value.substring(0, value.length() - 3) : "in another unit";
                }
                long number = parse(value);
                return number < 0 ? -1 : number * unit;
            }
        }
        return -1;
    }

    private static long parse(String text) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            // "max", or something newer than this.
            return -1;
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of();
        }
    }
}

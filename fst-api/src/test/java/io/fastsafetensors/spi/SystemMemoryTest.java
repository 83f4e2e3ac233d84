package io.fastsafetensors.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemMemoryTest {
    private static final long GIB = 1L << 30;

    @TempDir
    Path root;
    private Path proc = Path.of("");
    private Path mount = Path.of("");

    @BeforeEach
    void machine() throws IOException {
        proc = Files.createDirectories(root.resolve("proc"));
        Files.createDirectories(proc.resolve("self"));
        mount = Files.createDirectories(root.resolve("mount"));
        write(proc.resolve("meminfo"), "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nSwapFree: 0 kB\n");
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void unified(String rootOfMount, String membership) throws IOException {
        write(proc.resolve("self/mountinfo"),
                "31 23 0:28 / /sys rw - sysfs sysfs rw\n41 31 0:38 " + rootOfMount + " " + mount
                        + " rw,relatime shared:9 - cgroup2 cgroup2 rw\n");
        write(proc.resolve("self/cgroup"), "0::" + membership + "\n");
    }

    private MemoryInfo read() {
        return new SystemMemory(proc).read();
    }

    @Test
    void a_machine_without_limits_has_what_it_says() {
        assertEquals(MemoryInfo.of(8 * GIB, 16 * GIB), read());
    }

    @Test
    void free_swap_space_counts() throws IOException {
        write(proc.resolve("meminfo"), "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\nSwapFree: 1048576 kB\n");
        assertEquals(9 * GIB, read().free());
    }

    @Test
    void what_cannot_be_read_is_unknown() throws IOException {
        Files.delete(proc.resolve("meminfo"));
        assertEquals(MemoryInfo.of(-1, -1), read());
    }

    @Test
    void a_unified_group_and_those_around_it_limit() throws IOException {
        unified("/", "/box/inner");
        write(mount.resolve("box/memory.max"), 2 * GIB + "\n");
        write(mount.resolve("box/memory.current"), GIB + "\n");
        write(mount.resolve("box/memory.stat"), "anon 5\ninactive_file " + GIB / 4 + "\nactive_file " + GIB / 4);
        write(mount.resolve("box/inner/memory.max"), "max\n");
        assertEquals(MemoryInfo.of(GIB + GIB / 2, 2 * GIB), read());
        write(mount.resolve("box/inner/memory.max"), GIB + "\n");
        write(mount.resolve("box/inner/memory.current"), GIB / 4 + "\n");
        assertEquals(MemoryInfo.of(GIB - GIB / 4, GIB), read());
    }

    @Test
    void a_container_sees_its_group_as_the_root_of_the_mount() throws IOException {
        unified("/docker/abc", "/docker/abc");
        write(mount.resolve("memory.max"), GIB + "\n");
        write(mount.resolve("memory.current"), "0\n");
        assertEquals(MemoryInfo.of(GIB, GIB), read());
        unified("/", "/../elsewhere");
        assertEquals(MemoryInfo.of(GIB, GIB), read());
    }

    @Test
    void a_memory_controller_of_version_1_limits() throws IOException {
        write(proc.resolve("self/mountinfo"), "35 31 0:32 /docker/abc " + mount
                + " rw,relatime - cgroup cgroup rw,memory\n36 31 0:33 / /nowhere rw - cgroup cgroup rw,cpu\n");
        write(proc.resolve("self/cgroup"), "9:cpu:/x\n4:memory:/docker/abc\n0::/\n");
        write(mount.resolve("memory.limit_in_bytes"), 9223372036854771712L + "\n");
        assertEquals(MemoryInfo.of(8 * GIB, 16 * GIB), read());
        write(mount.resolve("memory.limit_in_bytes"), 3 * GIB + "\n");
        write(mount.resolve("memory.usage_in_bytes"), 2 * GIB + "\n");
        write(mount.resolve("memory.stat"), "inactive_file 7\ntotal_inactive_file " + GIB + "\ntotal_active_file 0\n");
        assertEquals(MemoryInfo.of(2 * GIB, 3 * GIB), read());
    }

    @Test
    void more_used_than_allowed_leaves_nothing() throws IOException {
        unified("/", "/");
        write(mount.resolve("memory.max"), GIB + "\n");
        write(mount.resolve("memory.current"), 2 * GIB + "\n");
        assertEquals(0, read().free());
    }
}

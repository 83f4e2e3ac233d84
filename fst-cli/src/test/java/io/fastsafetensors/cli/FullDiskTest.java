package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Namespaces;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Writers that run out of room, on a file system of 2 MiB and under a limit for the size of files.
@Timeout(600)
class FullDiskTest {
    @TempDir
    private Path directory;
    private Path small = Path.of("");
    private Path source = Path.of("");

    @BeforeEach
    void write() throws Exception {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "mounts and limits are those of Linux");
        small = Files.createDirectories(directory.resolve("small"));
        source = Cli.write(directory.resolve("source.safetensors"), FullDisk.zeros("large", 4 << 20));
    }

    @Test
    @Tag("slow")
    void a_full_file_system_leaves_the_old_file_and_no_other() {
        List<String> command = Namespaces.command();
        command.addAll(List.of("sh", "-c", "mount -t tmpfs -o size=2m fst \"$0\" && exec \"$@\"", small.toString()));
        assertLines("No space left on device", command);
    }

    @Test
    void a_limit_for_files_leaves_the_old_file_and_no_other() {
        assertLines("File too large", new ArrayList<>(List.of("sh", "-c", "ulimit -f 4096 && exec \"$@\"", "sh")));
    }

    private void assertLines(String reason, List<String> command) {
        String said = ChildProcess.java(FullDisk.class, small, source)
                .options("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m").under(command).run().succeeded()
                .output();
        List<String> lines = said.lines().toList();
        assertEquals(4, lines.size(), said);
        for (String line : lines) {
            String[] parts = line.split("\t", -1);
            assertEquals("intact", parts[0], said);
            assertEquals("[x.safetensors]", parts[1], said);
            assertTrue(parts[2].contains(reason) && parts[2].contains(small.toString()), line);
        }
        assertTrue(lines.subList(2, 4).stream().allMatch(line -> line.contains("\t1 fst ") && !line.contains("\\n")),
                said);
    }
}

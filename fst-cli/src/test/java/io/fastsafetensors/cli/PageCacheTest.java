package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.cli.ffm.PageCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
class PageCacheTest {
    @TempDir
    private Path directory;

    @Test
    void dropping_changes_nothing_but_the_cache() throws IOException {
        byte[] bytes = {1, 2, 3};
        Path file = Files.write(directory.resolve("x"), bytes);
        PageCache.system().drop(file);
        assertArrayEquals(bytes, Files.readAllBytes(file));
    }

    @Test
    void a_file_that_is_not_there_is_named() {
        Path absent = directory.resolve("absent");
        IOException e = assertThrows(IOException.class, () -> PageCache.system().drop(absent));
        assertTrue(e.getMessage().contains(absent.toString()) && e.getMessage().contains("errno 2"), e.getMessage());
    }
}

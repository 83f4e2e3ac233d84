package io.fastsafetensors.architecture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// A class that needs more than a few screens does more than one thing.
class SourceSizeTest {
    private static final int MOST_LINES = 400;

    @Test
    void no_source_file_is_longer_than_400_lines() throws IOException {
        try (Stream<Path> paths = Files.walk(Path.of(".."), 24)) {
            List<Path> sources = paths.filter(p -> p.toString().endsWith(".java") && !p.toString().contains("/target/"))
                    .toList();
            assertTrue(sources.size() > 150, "only " + sources.size() + " sources found");
            assertEquals(List.of(), sources.stream().filter(p -> lines(p) > MOST_LINES).toList());
        }
    }

    private static long lines(Path source) {
        try (Stream<String> lines = Files.lines(source)) {
            return lines.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

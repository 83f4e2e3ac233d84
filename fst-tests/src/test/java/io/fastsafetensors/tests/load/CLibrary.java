package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/// Compiles C of the test resources.
final class CLibrary {
    private CLibrary() {
    }

    /// A shared library of `NAME.c`. Without a compiler the test fails on CI, and is aborted elsewhere.
    static Path compile(String name, Path directory) throws IOException, InterruptedException {
        Path source = directory.resolve(name + ".c");
        try (InputStream in = CLibrary.class.getResourceAsStream(name + ".c")) {
            Files.copy(in, source);
        }
        Path library = directory.resolve(name + ".so");
        Process cc;
        try {
            cc = new ProcessBuilder("cc", "-std=gnu11", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-pthread", "-o",
                    library.toString(), source.toString()).inheritIO().start();
        } catch (IOException e) {
            assertTrue(System.getenv("CI") == null, "CI needs cc: " + e.getMessage());
            return abort("no C compiler: " + e.getMessage());
        }
        assertEquals(0, cc.waitFor(), "cc must compile " + name + ".c");
        return library;
    }
}

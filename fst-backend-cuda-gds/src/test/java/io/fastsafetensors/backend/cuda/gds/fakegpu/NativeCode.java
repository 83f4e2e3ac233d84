package io.fastsafetensors.backend.cuda.gds.fakegpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.backend.cuda.gds.GdsBackendProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/// The C sources among the test resources, compiled by the system's compiler.
final class NativeCode {
    private NativeCode() {
    }

    /// The fake `libcufile.so.0`.
    static Path cuFile(Path folder) throws IOException, InterruptedException {
        return compile(folder, "fake_cufile.c", "libcufile.so.0", "-fPIC", "-shared", "-fvisibility=hidden",
                "-Wl,-soname,libcufile.so.0");
    }

    /// The program that reads by plain calls of cuFile.
    static Path loop(Path folder) throws IOException, InterruptedException {
        return compile(folder, "cufile_loop.c", "cufile_loop");
    }

    private static Path compile(Path folder, String source, String name, String... options)
            throws IOException, InterruptedException {
        Path copy = folder.resolve(source);
        try (InputStream in = GdsBackendProvider.class.getResourceAsStream(source)) {
            Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
        }
        Path result = folder.resolve(name);
        List<String> command = new ArrayList<>(List.of("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2",
                "-pthread", "-o", result.toString(), copy.toString()));
        command.addAll(Arrays.asList(options));
        command.add("-ldl");
        try {
            Process compiler = new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(compiler.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, compiler.waitFor(), () -> String.join(" ", command) + ":\n" + output);
        } catch (IOException e) {
            String text = "no C compiler: install gcc (" + e.getMessage() + ")";
            if (System.getenv("CI") != null) {
                Assertions.fail(text, e);
            }
            Assumptions.abort(text);
        }
        return result;
    }
}

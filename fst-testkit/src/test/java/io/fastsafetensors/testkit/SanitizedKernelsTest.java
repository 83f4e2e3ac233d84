package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.kernel.KernelLibrary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// No kernel reads or writes beyond its buffers, or relies on what C leaves undefined. In a JVM of its own, since an
/// address sanitizer must be there from the start, and ends the process when it finds something.
@Timeout(value = 5, unit = TimeUnit.MINUTES)
@Tag("slow")
class SanitizedKernelsTest {
    private static final String[] SANITIZERS = {"-O1", "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all"};

    @TempDir
    static Path directory;

    @Test
    void noSanitizerFindsAnything() throws IOException, InterruptedException {
        Path library = KernelLibrary.compile(directory, SANITIZERS);
        Outcome outcome = run(library);
        assertEquals(0, outcome.exit(), outcome.out());
    }

    /// One byte more than there is: otherwise a green run would say nothing.
    @Test
    void theSanitizerIsThere() throws IOException, InterruptedException {
        Path source = KernelLibrary.compile(directory, SANITIZERS).resolveSibling("fst_kernels.c");
        String text = Files.readString(source).replace("value |= (fst_u64)p[k] << 8 * k;",
                "value |= (fst_u64)p[k] << 8 * k; if (p[k + 1] == 77) { value ^= 0; }");
        Path broken = Files.writeString(directory.resolve("broken.c"), text);
        Path library = directory.resolve("libbroken.so");
        KernelLibrary.run(List.of("cc", "-std=c11", "-fPIC", "-shared", "-O0", SANITIZERS[2], SANITIZERS[3], "-o",
                library.toString(), broken.toString()));
        Outcome outcome = run(library);
        assertNotEquals(0, outcome.exit(), outcome.out());
        assertTrue(outcome.out().contains("AddressSanitizer"), outcome.out());
    }

    private record Outcome(int exit, String out) {
    }

    private static Outcome run(Path library) throws IOException, InterruptedException {
        String sanitizer = KernelLibrary.run(List.of("cc", "-print-file-name=libasan.so")).strip();
        if (!sanitizer.startsWith("/")) {
            // The compiler answers with the bare name of a file that it does not have.
            String text = "the kernels were not checked for stray accesses: no " + sanitizer;
            assertNull(System.getenv("CI"), text);
            Assumptions.abort(text);
        }
        Path out = directory.resolve("out.txt");
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin/java").toString(), "-Xmx256m",
                "--enable-native-access=ALL-UNNAMED", "-Dfst.seed=" + Seed.value(), "-cp",
                System.getProperty("java.class.path"), SanitizedKernels.class.getName(), library.toString())
                .redirectErrorStream(true).redirectOutput(out.toFile());
        builder.environment().put("LD_PRELOAD", sanitizer);
        // Signals, and memory that is never freed, are the JVM's own business.
        builder.environment().put("ASAN_OPTIONS",
                "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:allocator_may_return_null=1");
        builder.environment().put("UBSAN_OPTIONS", "print_stacktrace=1");
        Process process = builder.start();
        if (!process.waitFor(4, TimeUnit.MINUTES)) {
            process.destroyForcibly();
        }
        return new Outcome(process.waitFor(), Files.readString(out, StandardCharsets.UTF_8));
    }
}

package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.gpu.kernel.KernelSource;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.kernel.KernelLibrary;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// No kernel reads or writes beyond its buffers, or relies on what C leaves undefined. In a JVM of its own, since an
/// address sanitizer must be there from the start, and ends the process when it finds something.
@Timeout(value = 20, unit = TimeUnit.MINUTES)
@Tag("slow")
class SanitizedKernelsTest {
    private static final String[] SANITIZERS = {"-O1", "-g", "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all"};

    @TempDir
    static Path directory;

    @BeforeEach
    void requireSanitizers() {
        Prerequisite.SANITIZERS.require();
    }

    @Test
    void no_sanitizer_finds_anything() {
        run(KernelLibrary.compile(directory, SANITIZERS)).succeeded();
    }

    /// One byte more than there is: otherwise a green run would say nothing.
    @Test
    void the_sanitizer_is_there() {
        String text = KernelSource.text().replace("value |= (fst_u64)p[k] << 8 * k;",
                "value |= (fst_u64)p[k] << 8 * k; if (p[k + 1] == 77) { value ^= 0; }");
        ChildProcess.Result result = run(KernelLibrary.compile(directory, text,
                new String[] {"-O0", SANITIZERS[2], SANITIZERS[3]}));
        assertNotEquals(0, result.status(), result::toString);
        assertTrue(result.output().contains("AddressSanitizer"), result::toString);
    }

    private static ChildProcess.Result run(Path library) {
        String sanitizer = ChildProcess.of("cc", "-print-file-name=libasan.so").run().succeeded().out().strip();
        return ChildProcess.java(SanitizedKernels.class, library).options("-Xmx256m", "-Dfst.seed=" + Seed.value())
                .environment("LD_PRELOAD", sanitizer)
                // Signals, and memory that is never freed, are the JVM's own business.
                .environment("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"
                        + "handle_sigill=0:allocator_may_return_null=1")
                .environment("UBSAN_OPTIONS", "print_stacktrace=1").run();
    }
}

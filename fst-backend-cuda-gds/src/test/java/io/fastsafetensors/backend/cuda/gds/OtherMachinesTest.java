package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The backend disturbs nobody who cannot use it.
@Timeout(600)
class OtherMachinesTest {
    @TempDir
    Path folder;

    @Test
    void what_is_missing_is_told() {
        BackendReport report = Diagnostics.backends().stream().filter(b -> b.name().equals("cuda-gds")).findFirst()
                .orElseThrow();
        assertEquals("cuda", report.deviceType());
        if (report.probe() instanceof Probe.Unavailable missing) {
            assertFalse(missing.reason().isBlank());
            assertTrue(missing.reason().contains("backend cuda") || missing.reason().contains("libcufile"),
                    missing::reason);
        }
    }

    /// The program runs in another folder.
    private static String classPath() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(entry -> Path.of(entry).toAbsolutePath().toString())
                .collect(Collectors.joining(File.pathSeparator));
    }

    /// In a process of its own, so that what native code prints is seen as well.
    @Test
    void loads_to_the_cpu_go_on_and_nothing_is_printed() {
        Path file = SafetensorsFixture.create().tensor("t", DType.F32, Shape.of(1000), 1)
                .write(folder.resolve("model.safetensors")).path();
        boolean available = new GdsBackendProvider().probe().isAvailable();
        ChildProcess.Result result = ChildProcess.java(QuietProgram.class, file).classPath(classPath())
                .directory(folder).run().succeeded();
        assertEquals("cpu 1\ncuda-gds " + available + "\n", result.output());
        assertEquals(1, folder.toFile().list().length, "files were written");
    }
}

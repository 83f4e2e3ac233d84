package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The example of `docs/examples/dlpack`: a Python process that loads the virtual machine, and NumPy for a consumer.
@Timeout(120)
class DlpackPythonTest {
    private static final Path SCRIPT = Path.of("../docs/examples/dlpack/from_torch.py");

    @TempDir
    Path directory;

    private record Outcome(int exit, String out) {
        static Outcome of(List<String> command) throws IOException, InterruptedException {
            ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
            builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
            Process process = builder.start();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(process.waitFor(60, TimeUnit.SECONDS), out);
            return new Outcome(process.exitValue(), out);
        }
    }

    /// The first Python that has NumPy. Without one the test fails on CI, and is aborted elsewhere.
    private static String python() throws InterruptedException {
        StringBuilder tried = new StringBuilder();
        for (String python : List.of("python3", "/usr/bin/python3")) {
            try {
                Outcome outcome = Outcome.of(List.of(python, "-c", "import numpy"));
                if (outcome.exit() == 0) {
                    return python;
                }
                tried.append(outcome.out());
            } catch (IOException e) {
                tried.append(e.getMessage());
            }
        }
        assertTrue(System.getenv("CI") == null, "CI needs python3 with numpy: " + tried);
        return abort("no python3 with numpy: " + tried);
    }

    @Test
    void python_takes_and_lends_every_dtype() throws IOException, InterruptedException {
        String python = python();
        Path file = directory.resolve("model.safetensors");
        SafetensorsFixture fixture = SafetensorsFixture.create().tensor("scalar", DType.F32, Shape.of(), 90)
                .tensor("empty", DType.F16, Shape.of(3, 0), 91).tensor("odd", DType.F4, Shape.of(2, 3), 92)
                .tensor("flags", DType.BOOL, Shape.of(3), new byte[] {1, 0, 1});
        for (DType dtype : DType.values()) {
            if (dtype != DType.BOOL) {
                fixture.tensor(dtype.name(), dtype, Shape.of(3, 2, 4), dtype.ordinal());
            }
        }
        fixture.write(file);
        Outcome outcome = Outcome.of(List.of(python, SCRIPT.toString(), "--framework", "numpy", "--java-home",
                System.getProperty("java.home"), "--class-path", System.getProperty("java.class.path"),
                "--java-option=-Xmx64m", file.toString()));
        assertEquals(0, outcome.exit(), outcome.out());
        assertTrue(outcome.out().contains("each deleted once"), outcome.out());
    }
}

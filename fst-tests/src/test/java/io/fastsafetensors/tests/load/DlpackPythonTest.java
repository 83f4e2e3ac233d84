package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Python;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The example of `docs/examples/dlpack`: a Python process that loads the virtual machine, and NumPy for a consumer.
@Timeout(600)
@Tag("native")
class DlpackPythonTest {
    private static final Path SCRIPT = Path.of("../docs/examples/dlpack/from_torch.py");

    @TempDir
    Path directory;

    @Test
    void python_takes_and_lends_every_dtype() {
        String python = Python.withNumPy();
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
        ChildProcess.Result result = ChildProcess.of(python, SCRIPT, "--framework", "numpy", "--java-home",
                System.getProperty("java.home"), "--class-path", System.getProperty("java.class.path"),
                "--java-option=-Xmx64m", file).environment("PYTHONDONTWRITEBYTECODE", 1).run().succeeded();
        assertTrue(result.output().contains("each deleted once"), result::toString);
    }
}

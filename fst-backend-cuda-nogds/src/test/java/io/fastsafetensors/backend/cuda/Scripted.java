package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.gpu.PciBus;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.Map;

/// The backend on a [ScriptedDriver].
final class Scripted {
    private Scripted() {
    }

    static CudaMachine machine(CudaDriver driver) {
        return CudaMachine.find(() -> driver, new PciBus(Path.of("/nowhere")), Map::of);
    }

    static CudaBackend open(CudaDriver driver) {
        return open(driver, -1);
    }

    static CudaBackend open(CudaDriver driver, long mostKept) {
        return machine(driver).open(new Device("cuda", 0), mostKept);
    }
}

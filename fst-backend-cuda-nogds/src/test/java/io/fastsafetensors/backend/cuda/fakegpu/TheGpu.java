package io.fastsafetensors.backend.cuda.fakegpu;

import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.test.gpu.Face;
import io.fastsafetensors.test.gpu.FakeGpu;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The fake GPU of this JVM; loaded before anything looks for a driver, if a test asks for it first of all.
final class TheGpu {
    private TheGpu() {
    }

    static FakeGpu load() {
        Prerequisite.C_COMPILER.require();
        return Holder.GPU;
    }

    private static final class Holder {
        static final FakeGpu GPU = loadOnce();
    }

    private static FakeGpu loadOnce() {
        try {
            Path folder = Files.createTempDirectory("fst-fake-gpu");
            FakeGpu gpu = FakeGpu.load(folder, Face.CUDA);
            FakeGpu.loadCollectives(folder, Face.CUDA);
            Files.delete(gpu.library());
            return gpu;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

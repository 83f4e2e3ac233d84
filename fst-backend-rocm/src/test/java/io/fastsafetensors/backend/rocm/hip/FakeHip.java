package io.fastsafetensors.backend.rocm.hip;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.test.gpu.Face;
import io.fastsafetensors.test.gpu.FakeGpu;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// HIP of this process: the newest version, since its soname is asked for first.
final class FakeHip {
    static final Device DEVICE = new Device("rocm", 0);

    private FakeHip() {
    }

    static FakeGpu gpu() {
        Prerequisite.C_COMPILER.require();
        return Holder.GPU;
    }

    static BackendProvider provider() {
        // Loads it first.
        FakeGpu gpu = gpu();
        HipBackendProvider provider = new HipBackendProvider();
        assertInstanceOf(Probe.Available.class, provider.probe(),
                gpu.library() + " was loaded after this process had looked for HIP");
        return provider;
    }

    /// Opens the first device without a cache.
    static Backend open() {
        return open(Map.of(HipOptions.KERNEL_CACHE, "off"));
    }

    static Backend open(Map<String, String> properties) {
        return provider().open(DEVICE, BackendOptions.defaults().withProperties(properties));
    }

    private static final class Holder {
        static final FakeGpu GPU = load();
    }

    private static FakeGpu load() {
        try {
            Path folder = Files.createTempDirectory("fake-hip");
            try {
                FakeGpu gpu = FakeGpu.load(folder, Face.HIP_7);
                FakeGpu.loadCollectives(folder, Face.HIP_7);
                return gpu;
            } finally {
                // What is loaded stays loaded.
                List<Path> files;
                try (Stream<Path> found = Files.walk(folder)) {
                    files = found.sorted(Comparator.reverseOrder()).toList();
                }
                for (Path file : files) {
                    Files.delete(file);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

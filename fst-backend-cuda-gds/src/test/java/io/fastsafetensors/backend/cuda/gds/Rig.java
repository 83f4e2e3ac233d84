package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibC;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibCFfm;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackend;
import io.fastsafetensors.testkit.fault.OpenObjects;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// The backend over host memory and the fake library, and what is open of it.
final class Rig implements AutoCloseable {
    final FakeContext context = new FakeContext();
    final FakeCuFile cuFile = new FakeCuFile(context);
    final OpenObjects objects = new OpenObjects();
    final FakeHost host;
    final Backend backend;
    final DirectStorage storage;

    Rig(Path folder) throws IOException {
        this(folder, new DescriptorLibCFfm());
    }

    Rig(Path folder, DescriptorLibC c) throws IOException {
        host = new FakeHost(folder.resolve("machine"));
        BufferRegistrations registrations = new BufferRegistrations(cuFile, context);
        Backend memory = new FaultyBackend(new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults()),
                FaultPlan.seeded(1), objects);
        backend = new GdsBackend(memory, registrations, lifetime -> new GdsStorage(new CuFileDriver(cuFile), c, context,
                host.setup(), registrations, lifetime));
        storage = backend.directStorage().orElseThrow();
    }

    /// The bytes of a buffer that is open.
    static byte[] bytes(DeviceBuffer buffer) {
        return segment(buffer).toArray(ValueLayout.JAVA_BYTE);
    }

    static MemorySegment segment(DeviceBuffer buffer) {
        return buffer.segment().orElseThrow();
    }

    /// The descriptors of this process that lead to files below a folder.
    static List<String> openFiles(Path folder) throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.map(Rig::target).filter(t -> t.startsWith(folder.toString())).toList();
        }
    }

    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException e) {
            return "";
        }
    }

    /// Nothing is open, and the library was used as it has to be.
    void assertBalanced(Path folder) throws IOException {
        assertEquals(List.of(), cuFile.violations(), "misuse of the library");
        assertEquals(0, cuFile.openHandles(), "handles");
        assertEquals(0, cuFile.registeredBuffers(), "registered buffers");
        assertEquals(0, objects.total(), objects::describe);
        assertEquals(List.of(), openFiles(folder), "descriptors");
    }

    @Override
    public void close() {
        backend.close();
    }
}

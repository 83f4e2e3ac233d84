package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.backend.cpu.ffm.MemoryLibCFfm;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// What this machine is and how memory is taken on it; found out once.
///
/// @param memory where buffers come from
/// @param info the device, for the probe
record HostFacts(HostMemory memory, DeviceInfo info) {
    private static final int DLPACK_CPU = 1;
    /// Host memory that CUDA or ROCm page-locked.
    private static final int DLPACK_CUDA_HOST = 3;
    private static final int DLPACK_ROCM_HOST = 11;
    private static final Path THP = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");

    /// The facts of this machine. Never throws.
    static HostFacts ofThisMachine() {
        return Found.FACTS;
    }

    /// Why this machine cannot be served at all, if so: files are little-endian, and so are the kernels.
    static Optional<String> obstacle(ByteOrder order) {
        return order == ByteOrder.LITTLE_ENDIAN ? Optional.empty()
                : Optional.of("UnsupportedFeature: the CPU is big-endian, and tensors are little-endian; use a"
                        + " little-endian machine");
    }

    /// Mappings where the C library can be called, the JDK's allocator elsewhere.
    static HostMemory chooseMemory(String os) {
        if (!os.equals("Linux")) {
            return new JdkMemory("the system is " + os + ", not Linux", SystemMemory.ofThisProcess());
        }
        try {
            return new MappedMemory(new MemoryLibCFfm(), SystemMemory.ofThisProcess());
        } catch (LinkageError | RuntimeException e) {
            // Whatever the binding fails with (no native access, no symbol, no linker), there is another way.
            Throwable cause = e instanceof ExceptionInInitializerError && e.getCause() != null ? e.getCause() : e;
            return new JdkMemory("the C library cannot be called: " + cause
                    + "; run with --enable-native-access=ALL-UNNAMED,io.fastsafetensors.api",
                    SystemMemory.ofThisProcess());
        }
    }

    private static HostFacts find() {
        HostMemory memory = chooseMemory(System.getProperty("os.name", "an unknown system"));
        String arch = System.getProperty("os.arch", "an unknown architecture");
        Map<String, String> attributes = Map.of("arch", arch, "processors",
                Integer.toString(Runtime.getRuntime().availableProcessors()), "memory", memory.description(),
                "transparent huge pages", firstLine(THP, "").orElse("unknown"));
        String model = firstLine(Path.of("/proc/cpuinfo"), "model name").orElse(arch);
        return new HostFacts(memory,
                DeviceInfo.of(Device.CPU, DeviceKind.CPU, model)
                        .withTotalBytes(SystemMemory.ofThisProcess().read().total()).withAttributes(attributes)
                        .withDlpackTypes(DLPACK_CPU, DLPACK_CUDA_HOST, DLPACK_ROCM_HOST));
    }

    private static Optional<String> firstLine(Path file, String start) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.filter(line -> line.startsWith(start)).findFirst()
                    .map(line -> line.substring(line.indexOf(':') + 1).strip());
        } catch (IOException | RuntimeException e) {
            return Optional.empty();
        }
    }

    /// Initialised at the first question.
    private static final class Found {
        private static final HostFacts FACTS = find();
    }
}

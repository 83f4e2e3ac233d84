package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.PciBus;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.spi.ffm.NativeAccess;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The driver and the devices of a machine, found out once; what a provider knows. Creates no context.
final class CudaMachine {
    /// The oldest driver whose API this is: CUDA 12.0.
    private static final int OLDEST = 12_000;

    private final Probe probe;
    private final @Nullable CudaDevices facts;

    /// @param facts null where the probe is [Probe.Unavailable]
    private CudaMachine(Probe probe, @Nullable CudaDevices facts) {
        this.probe = probe;
        this.facts = facts;
    }

    /// Looks at a machine. Never throws: what is missing is in the probe.
    ///
    /// @param loader gives the driver, or throws
    /// @param versions versions of other libraries, for people
    static CudaMachine find(Supplier<CudaDriver> loader, PciBus pci, Supplier<Map<String, String>> versions) {
        try {
            CudaDevices facts = new CudaDevices(loader.get(), pci);
            return new CudaMachine(probe(facts, versions.get()), facts);
        } catch (NoClassDefFoundError e) {
            return unavailable("JCuda is missing (" + e.getMessage() + "); add the jars org.jcuda:jcuda and"
                    + " org.jcuda:jcuda-natives", e);
        } catch (RuntimeException | LinkageError e) {
            if (NativeAccess.isDenial(e)) {
                return unavailable(e.getMessage()
                        + "; run with --enable-native-access=ALL-UNNAMED, and for modules with"
                        + " io.fastsafetensors.api,jcuda", e);
            }
            return unavailable(String.valueOf(e.getMessage()), e);
        }
    }

    private static CudaMachine unavailable(String reason, Throwable cause) {
        return new CudaMachine(Probe.unavailable(reason, cause), null);
    }

    /// Why no version of the driver can work on such a machine.
    ///
    /// @param os the system property `os.name`
    /// @param arch the system property `os.arch`
    static Optional<String> obstacle(String os, String arch) {
        return os.equals("Linux") && arch.equals("amd64") ? Optional.empty()
                : Optional.of("CUDA devices are served on Linux on x86-64, and this is " + os + " on " + arch);
    }

    private static Probe probe(CudaDevices facts, Map<String, String> others) {
        int version = facts.cudaVersion();
        String cuda = "CUDA " + version / 1000 + "." + version % 1000 / 10;
        if (version < OLDEST) {
            return Probe.unavailable("the NVIDIA driver is too old: it supports " + cuda
                    + ", and CUDA 12.0 is needed; install a driver of release 525 or newer");
        }
        int count = facts.start();
        if (count == 0) {
            return Probe.unavailable("no NVIDIA device is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES");
        }
        List<DeviceInfo> devices = IntStream.range(0, count).mapToObj(i -> facts.info(i, cuda)).toList();
        Map<String, String> versions = new HashMap<>(others);
        versions.put("driver", cuda);
        return Probe.available(devices).with(capabilities(facts, count)).withVersions(versions);
    }

    private static Set<Capability> capabilities(CudaDevices facts, int devices) {
        Set<Capability> capabilities = EnumSet.of(Capability.KERNELS, Capability.ASYNCHRONOUS_COPIES,
                Capability.POINTERS);
        if (IntStream.range(0, devices).allMatch(facts::registersHostMemory)) {
            capabilities.add(Capability.HOST_REGISTRATION);
        }
        return capabilities;
    }

    Probe probe() {
        return probe;
    }

    /// @param mostKept bytes of device memory to keep for the next load at most; negative for half of the device's
    /// @throws BackendException if the device is none of those, or the driver refuses it
    CudaBackend open(Device device, long mostKept) {
        if (facts == null || probe.found().isEmpty()) {
            throw new BackendException(probe.obstacle().orElse(""), Where.backend(CudaBackend.NAME));
        }
        Probe.Available available = probe.found().get();
        DeviceInfo info = available.devices().stream().filter(d -> d.device().equals(device)).findFirst()
                .orElseThrow(() -> noDevice(device, available));
        return new CudaBackend(facts.context(device.index()), info,
                available.capabilities().contains(Capability.HOST_REGISTRATION),
                mostKept < 0 ? info.totalBytes() / 2 : mostKept);
    }

    private static BackendException noDevice(Device device, Probe.Available available) {
        List<String> there = available.devices().stream().map(d -> d.device().toString()).toList();
        return new BackendException("no device " + device + "; there are " + String.join(", ", there),
                Where.backend(CudaBackend.NAME));
    }
}

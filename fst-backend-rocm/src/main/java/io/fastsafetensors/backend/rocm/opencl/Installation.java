package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.backend.rocm.opencl.binding.Jocl;
import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What one OpenCL library has to offer; found out once, immutable.
final class Installation {
    private static final Set<Capability> CAPABILITIES = EnumSet.of(Capability.KERNELS,
            Capability.ASYNCHRONOUS_COPIES);

    private final @Nullable OpenCl cl;
    private final List<ClDevice> devices;
    private final Probe probe;

    private Installation(@Nullable OpenCl cl, List<ClDevice> devices, Probe probe) {
        this.cl = cl;
        this.devices = devices;
        this.probe = probe;
    }

    /// That of this machine.
    static Installation ofThisMachine() {
        return Found.INSTALLATION;
    }

    /// Loads a library and asks it for devices. Never throws.
    static Installation find(Supplier<OpenCl> library) {
        OpenCl cl;
        try {
            cl = library.get();
        } catch (LinkageError | RuntimeException e) {
            // Whatever loading fails with (no library, no native access, no JOCL) is the reason.
            return unavailable("OpenCL cannot be loaded: " + firstLine(e), e);
        }
        try {
            DeviceList list = DeviceList.read(cl);
            if (list.devices().isEmpty()) {
                return unavailable(list.whyEmpty(), null);
            }
            return new Installation(cl, list.devices(), Probe
                    .available(list.devices().stream().map(ClDevice::info).toList()).with(CAPABILITIES)
                    .withVersions(list.versions()));
        } catch (FstException e) {
            return unavailable(String.valueOf(e.getMessage()), e);
        }
    }

    Probe probe() {
        return probe;
    }

    /// @throws BackendException if there is no such device, or its driver refuses
    Backend open(Device device) {
        for (ClDevice each : devices) {
            if (cl != null && each.info().device().equals(device)) {
                return OpenClBackend.open(cl, each);
            }
        }
        String there = !probe.isAvailable() ? probe.obstacle().orElse("")
                : devices.stream().map(d -> d.info().device() + " (" + d.info().name() + ")")
                        .collect(Collectors.joining(", ", "there are ", ""));
        throw new BackendException("no device " + device + "; " + there, Where.backend(ClStatus.BACKEND));
    }

    private static Installation unavailable(String reason, @Nullable Throwable cause) {
        return new Installation(null, List.of(), cause == null ? Probe.unavailable(reason)
                : Probe.unavailable(reason, cause));
    }

    private static String firstLine(Throwable e) {
        return e.getMessage() == null ? e.getClass().getSimpleName()
                : e.getMessage().lines().findFirst().orElse(e.getClass().getSimpleName());
    }

    private static final class Found {
        static final Installation INSTALLATION = find(Jocl::load);
    }
}

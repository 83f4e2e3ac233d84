package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.backend.rocm.hip.ffm.HipFfm;
import io.fastsafetensors.backend.rocm.hip.ffm.Hiprtc;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.ffm.NativeAccess;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// HIP on this machine, with at least one device.
///
/// @param runtime HIP
/// @param version what `hipRuntimeGetVersion` says
/// @param compiler hiprtc, where it is there
/// @param devices in HIP's order, which `HIP_VISIBLE_DEVICES` and `ROCR_VISIBLE_DEVICES` decide
record HipInstallation(HipRuntime runtime, int version, Optional<Hiprtc> compiler, List<HipDeviceInfo> devices) {
    private static final int MAJOR = 10_000_000;
    private static final int MINOR = 100_000;

    /// Looks at the machine.
    ///
    /// @throws UnsupportedFeatureException if there is no HIP
    /// @throws BackendException if there is no device, or HIP does not work
    static HipInstallation examine() {
        HipFfm hip = open();
        HipRuntime runtime = new HipRuntime(hip);
        int[] count = new int[1];
        int status = hip.hipGetDeviceCount(count);
        if (status == Hip.NO_DEVICE || (status == Hip.SUCCESS && count[0] == 0)) {
            throw runtime.failure("hipGetDeviceCount", Hip.NO_DEVICE, "; no AMD device: " + visibility());
        }
        runtime.check("hipGetDeviceCount", status);
        int[] version = new int[1];
        runtime.check("hipRuntimeGetVersion", hip.hipRuntimeGetVersion(version));
        List<HipDeviceInfo> devices = new ArrayList<>();
        for (int index = 0; index < count[0]; index++) {
            devices.add(HipDeviceInfo.of(runtime, index));
        }
        return new HipInstallation(runtime, version[0], compiler(hip, version[0]), List.copyOf(devices));
    }

    /// What the probe says of it.
    Probe.Available available() {
        Set<Capability> capabilities = EnumSet.of(Capability.ASYNCHRONOUS_COPIES, Capability.HOST_REGISTRATION,
                Capability.POINTERS);
        if (compiler.isPresent()) {
            capabilities.add(Capability.KERNELS);
        }
        return Probe.available(devices.stream().map(HipDeviceInfo::info).toList()).with(capabilities)
                .withVersions(
                        Map.of("hip", version / MAJOR + "." + version / MINOR % (MAJOR / MINOR) + "." + version % MINOR,
                                "library", runtime.hip().library(), "hiprtc",
                                compiler.map(Hiprtc::library).orElse("not installed, so no kernels: install hiprtc")));
    }

    private static HipFfm open() {
        String system = System.getProperty("os.name", "") + " " + System.getProperty("os.arch", "");
        if (!system.equals("Linux amd64") && !system.equals("Linux aarch64")) {
            throw unusable("it is used on 64-bit Linux only, and this is " + system, null);
        }
        try {
            return new HipFfm();
        } catch (LinkageError e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            String wayOut = NativeAccess.isDenial(cause)
                    ? "run with --enable-native-access=ALL-UNNAMED,io.fastsafetensors.api"
                    : "install ROCm's HIP runtime (package hip-runtime-amd, or libamdhip64 of Debian and Ubuntu), or"
                            + " name its folder in ROCM_PATH";
            throw unusable(cause.getMessage() + "; " + wayOut, cause);
        }
    }

    private static UnsupportedFeatureException unusable(String why, @Nullable Throwable cause) {
        return new UnsupportedFeatureException("the HIP runtime cannot be used: " + why, Where.nowhere(), cause);
    }

    private static Optional<Hiprtc> compiler(HipFfm hip, int version) {
        try {
            return Optional.of(hip.compiler(version));
        } catch (UnsupportedFeatureException _) {
            // The versions say so; copies work without it.
            return Optional.empty();
        }
    }

    private static String visibility() {
        String hidden = Stream.of("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
                .filter(name -> System.getenv(name) != null).map(name -> name + "=" + System.getenv(name))
                .collect(Collectors.joining(" and "));
        return hidden.isEmpty() ? "load the amdgpu driver, and let this user open /dev/kfd (groups render and video)"
                : hidden + " may hide it";
    }
}

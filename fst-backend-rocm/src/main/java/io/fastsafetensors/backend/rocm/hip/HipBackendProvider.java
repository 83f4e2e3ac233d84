package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.util.Optional;
import java.util.stream.Collectors;

/// AMD GPUs by HIP. `rocm:0` is what HIP calls 0.
///
/// Switches: `hip.codeObject`, the absolute path of a code object with the shared kernels, compiled for the device;
/// `hip.kernelCache`, which is `on` (default: `$XDG_CACHE_HOME/fst/hip` or `~/.cache/fst/hip`), `off`, or the absolute
/// path of a folder for compiled kernels.
public final class HipBackendProvider implements BackendProvider {
    /// For [java.util.ServiceLoader].
    public HipBackendProvider() {
    }

    @Override
    public String name() {
        return HipRuntime.BACKEND;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return HipDeviceInfo.DEVICE_TYPE;
    }

    @Override
    public int priority() {
        return 100;
    }

    @Override
    public Probe probe() {
        return Found.PROBE;
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        HipInstallation hip = Found.INSTALLATION.orElseThrow(() -> refusal(reason()));
        HipDeviceInfo facts = hip.devices().stream().filter(each -> each.info().device().equals(device)).findFirst()
                .orElseThrow(() -> refusal("no device " + device + "; HIP has " + hip.devices().stream()
                        .map(each -> each.info().device().toString()).collect(Collectors.joining(", "))));
        return new HipBackend(facts.info(), facts.device(), KernelCode.of(HipOptions.of(options),
                hip.compiler().map(KernelCompiler::new), hip.version()));
    }

    private static BackendException refusal(String reason) {
        return new BackendException(reason, Where.backend(HipRuntime.BACKEND));
    }

    private static String reason() {
        return Found.PROBE.obstacle().orElse("");
    }

    /// Initialised at the first question.
    private static final class Found {
        private static final Probe PROBE;
        private static final Optional<HipInstallation> INSTALLATION;

        static {
            Probe probe;
            Optional<HipInstallation> installation;
            try {
                HipInstallation found = HipInstallation.examine();
                installation = Optional.of(found);
                probe = found.available();
            } catch (BackendException | UnsupportedFeatureException e) {
                installation = Optional.empty();
                probe = Probe.unavailable(String.valueOf(e.getMessage()), e);
            }
            PROBE = probe;
            INSTALLATION = installation;
        }
    }
}

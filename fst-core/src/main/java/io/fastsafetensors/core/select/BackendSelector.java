package io.fastsafetensors.core.select;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.BackendChoice.Rejected;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.select.Providers.Found;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Picks the backend for a device: the one asked for by name, or the available one of the highest priority.
public final class BackendSelector {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private BackendSelector() {
    }

    /// A backend that was picked and opened.
    ///
    /// @param backend the opened backend, one hold of it; the caller releases it
    /// @param device the device, resolved
    /// @param capabilities what it can do
    /// @param choice why it was picked
    public record Selected(SharedBackend backend, Device device, Set<Capability> capabilities,
            BackendChoice choice) {
    }

    /// Picks and opens.
    ///
    /// @throws BackendUnavailableException if none can serve the device; it lists each with its reason
    public static Selected open(LoadOptions options) {
        List<Rejected> rejected = new ArrayList<>();
        Selected selected = null;
        for (Found<BackendProvider> found : Providers.backends()) {
            Optional<String> mismatch = mismatch(found, options);
            if (selected != null) {
                rejected.add(new Rejected(found.name(), mismatch.orElse("lower priority")));
            } else if (mismatch.isPresent()) {
                rejected.add(new Rejected(found.name(), mismatch.get()));
            } else {
                selected = tryOpen(found, options, rejected);
            }
        }
        if (selected == null) {
            String wanted = options.device() + options.backend().map(b -> " through backend " + b).orElse("");
            throw new BackendUnavailableException(wanted,
                    rejected.stream().map(r -> r.name() + ": " + r.reason()).toList());
        }
        BackendChoice choice = new BackendChoice(selected.choice().name(), selected.choice().reason(), rejected);
        LOG.log(Level.DEBUG, () -> "backend " + choice);
        return new Selected(selected.backend(), selected.device(), selected.capabilities(), choice);
    }

    private static Optional<String> mismatch(Found<BackendProvider> found, LoadOptions options) {
        BackendProvider provider = found.provider();
        if (options.backend().isPresent() && !options.backend().get().equals(found.name())) {
            return Optional.of("backend " + options.backend().get() + " was asked for");
        }
        if (provider != null && !serves(provider.deviceType(), options.device().type())) {
            return Optional.of("serves " + provider.deviceType() + " devices, not " + options.device());
        }
        return Optional.empty();
    }

    private static boolean serves(String provided, String wanted) {
        return switch (wanted) {
            case "auto" -> true;
            case "gpu" -> !provided.equals(Device.CPU.type());
            default -> provided.equals(wanted);
        };
    }

    private static @Nullable Selected tryOpen(Found<BackendProvider> found,
            LoadOptions options, List<Rejected> rejected) {
        Probe probe = Providers.probe(found);
        BackendProvider provider = found.provider();
        if (provider == null || !(probe instanceof Probe.Available available)) {
            rejected.add(new Rejected(found.name(), "not available: "
                    + (probe instanceof Probe.Unavailable u ? u.reason() : "its provider cannot be constructed")));
            return null;
        }
        Optional<Device> device = available.devices().stream().map(DeviceInfo::device)
                .filter(d -> d.index() == options.device().index()).findFirst();
        if (device.isEmpty()) {
            rejected.add(new Rejected(found.name(), "has no device " + options.device().index() + ", only "
                    + available.devices().stream().map(d -> d.device().toString()).toList()));
            return null;
        }
        String reason = options.backend().isPresent() ? "asked for by name"
                : "the available backend of the highest priority for " + options.device();
        return new Selected(
                OpenDevices.open(provider, device.get(),
                        new BackendOptions(options.strictBackend(), options.backendProperties())),
                device.get(), available.capabilities(),
                new BackendChoice(found.name(), reason, List.of()));
    }
}

package io.fastsafetensors.core.select;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.BackendChoice.Rejected;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.select.Providers.FoundBackend;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Picks the backend for a device: the one asked for by name, or the available one of the highest priority. `auto` takes
/// a processor last, and then rather as `cpu` than through a driver for devices; `gpu` never takes one.
public final class BackendSelector {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private static final String AUTO = "auto";
    private static final String GPU = "gpu";

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
        return open(Providers.backends(), options);
    }

    /// @param providers best first
    static Selected open(List<FoundBackend> providers, LoadOptions options) {
        List<Rejected> rejected = new ArrayList<>();
        Candidate best = null;
        for (FoundBackend found : providers) {
            Optional<String> mismatch = mismatch(found, options);
            if (mismatch.isPresent()) {
                rejected.add(new Rejected(found.name(), mismatch.get()));
            } else if (best != null && best.preference() == Candidate.FIRST) {
                rejected.add(new Rejected(found.name(), "lower priority"));
            } else {
                best = better(best, candidate(found, options, rejected), rejected);
            }
        }
        if (best == null) {
            String wanted = options.device() + options.backend().map(b -> " through backend " + b).orElse("");
            throw new BackendUnavailableException(wanted,
                    rejected.stream().map(r -> r.name() + ": " + r.reason()).toList(),
                    ShippedProviders.wayOut(options.device().type(), options.backend(),
                            providers.stream().map(FoundBackend::name).toList()));
        }
        BackendChoice choice = new BackendChoice(best.found().name(), reason(best, options), rejected);
        LOG.log(Level.DEBUG, () -> "backend " + choice);
        return new Selected(
                OpenDevices.open(best.found(), best.device().device(),
                        new BackendOptions(options.strictBackend(), options.backendProperties())),
                best.device().device(), best.capabilities(), choice);
    }

    /// A provider that can serve the device asked for.
    private record Candidate(FoundBackend found, DeviceInfo device, Set<Capability> capabilities,
            int preference) {
        private static final int FIRST = 0;
        private static final int SECOND = 1;
        private static final int LAST = 2;
    }

    private static Optional<String> mismatch(FoundBackend found, LoadOptions options) {
        if (options.backend().isPresent() && !options.backend().get().equals(found.name())) {
            return Optional.of("backend " + options.backend().get() + " was asked for");
        }
        if (found.provider() != null && !serves(found.deviceType(), options.device())) {
            return Optional.of("serves " + found.deviceType() + " devices, not " + options.device());
        }
        return Optional.empty();
    }

    private static boolean serves(String provided, Device wanted) {
        return switch (wanted.type()) {
            case AUTO -> true;
            case GPU -> !provided.equals(Device.CPU.type());
            default -> provided.equals(wanted.type());
        };
    }

    private static @Nullable Candidate candidate(FoundBackend found, LoadOptions options,
            List<Rejected> rejected) {
        Probe probe = Providers.probe(found);
        if (!(probe instanceof Probe.Available available)) {
            rejected.add(new Rejected(found.name(), "not available: " + ((Probe.Unavailable) probe).reason()));
            return null;
        }
        Optional<DeviceInfo> device = available.devices().stream()
                .filter(d -> d.device().index() == options.device().index()).findFirst();
        if (device.isEmpty()) {
            rejected.add(new Rejected(found.name(), "has no device " + options.device().index() + ", only "
                    + available.devices().stream().map(d -> d.device().toString()).toList()));
            return null;
        }
        if (options.device().type().equals(GPU) && device.get().kind() == DeviceKind.CPU) {
            rejected.add(new Rejected(found.name(), "its device " + device.get().device() + " is a processor, "
                    + device.get().name()));
            return null;
        }
        return new Candidate(found, device.get(), available.capabilities(), preference(device.get(), options));
    }

    /// Who serves the host's memory through a driver for devices copies what the CPU backend reads in place, so it only
    /// wins where that one is missing.
    private static int preference(DeviceInfo device, LoadOptions options) {
        if (!options.device().type().equals(AUTO) || device.kind() != DeviceKind.CPU) {
            return Candidate.FIRST;
        }
        return device.device().isCpu() ? Candidate.SECOND : Candidate.LAST;
    }

    private static @Nullable Candidate better(@Nullable Candidate best, @Nullable Candidate other,
            List<Rejected> rejected) {
        if (best == null || other == null) {
            return best == null ? other : best;
        }
        boolean replaced = other.preference() < best.preference();
        Candidate loser = replaced ? best : other;
        rejected.add(new Rejected(loser.found().name(), loser.preference() == Candidate.LAST
                ? "its device " + loser.device().device() + " is a processor, " + loser.device().name()
                : "lower priority"));
        return replaced ? other : best;
    }

    private static String reason(Candidate best, LoadOptions options) {
        if (options.backend().isPresent()) {
            return "asked for by name";
        }
        return best.preference() == Candidate.FIRST
                ? "the available backend of the highest priority for " + options.device()
                : "no GPU and no accelerator is available";
    }
}

package io.fastsafetensors.core.select;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.BackendChoice.Rejected;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.select.Providers.BrokenProvider;
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
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Picks the backend for a device, by the rules that [Device] states: the one asked for by name, or the best of those that
/// are available. A provider that turns out to be broken when it opens the device is rejected like one that is not available,
/// and the next one is taken.
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
        List<FoundBackend> left = new ArrayList<>(providers);
        List<Rejected> broken = new ArrayList<>();
        while (true) {
            List<Rejected> rejected = new ArrayList<>(broken);
            Candidate best = best(left, options, rejected).orElseThrow(() -> none(providers, options, rejected));
            try {
                SharedBackend opened = OpenDevices.open(best.found(), best.device().device(),
                        BackendOptions.defaults().withStrict(options.strictBackend())
                                .withProperties(options.backendProperties()));
                BackendChoice choice = new BackendChoice(best.found().name(), reason(best, options), rejected);
                LOG.log(Level.DEBUG, () -> "backend " + choice);
                return new Selected(opened, best.device().device(), best.capabilities(), choice);
            } catch (BrokenProvider e) {
                left.remove(best.found());
                broken.add(new Rejected(best.found().name(), "not available: " + e.getMessage()));
            }
        }
    }

    private static BackendUnavailableException none(List<FoundBackend> providers, LoadOptions options,
            List<Rejected> rejected) {
        String wanted = options.device() + options.backend().map(b -> " through backend " + b).orElse("");
        return new BackendUnavailableException(wanted,
                rejected.stream().map(r -> r.name() + ": " + r.reason()).toList(),
                ShippedProviders.wayOut(options.device().type(), options.backend(),
                        providers.stream().map(FoundBackend::name).toList()));
    }

    /// @param rejected gets the others, each with its reason
    private static Optional<Candidate> best(List<FoundBackend> providers, LoadOptions options,
            List<Rejected> rejected) {
        List<Candidate> candidates = new ArrayList<>();
        for (FoundBackend found : providers) {
            Optional<String> mismatch = mismatch(found, options);
            if (mismatch.isPresent()) {
                rejected.add(new Rejected(found.name(), mismatch.get()));
            } else if (isSettled(candidates, found)) {
                rejected.add(new Rejected(found.name(), "lower priority"));
            } else {
                candidate(found, options, rejected).ifPresent(candidates::add);
            }
        }
        if (candidates.isEmpty()) {
            return Optional.empty();
        }
        int best = 0;
        for (int i = 1; i < candidates.size(); i++) {
            best = candidates.get(i).compareTo(candidates.get(best)) < 0 ? i : best;
        }
        Candidate chosen = candidates.remove(best);
        for (Candidate other : candidates) {
            rejected.add(new Rejected(other.found().name(), other.whyAfter(chosen)));
        }
        return Optional.of(chosen);
    }

    /// A provider that can serve the device asked for. The best one is the least.
    private record Candidate(FoundBackend found, DeviceInfo device, Set<Capability> capabilities,
            int preference) implements Comparable<Candidate> {
        private static final int FIRST = 0;
        private static final int SECOND = 1;
        private static final int LAST = 2;

        @Override
        public int compareTo(Candidate other) {
            return Comparator.comparingInt(Candidate::preference)
                    .thenComparing(each -> each.found().priority(), Comparator.reverseOrder())
                    .thenComparing(each -> each.device().totalBytes(), Comparator.reverseOrder())
                    .thenComparing(each -> each.found().name()).compare(this, other);
        }

        /// Why another one was taken.
        String whyAfter(Candidate best) {
            if (preference == LAST) {
                return "its device " + device.device() + " is a processor, " + device.name();
            }
            return preference == best.preference && found.priority() == best.found.priority()
                    ? "of the same priority as " + best.found.name() + ", and its device " + device.device()
                            + " has no more memory"
                    : "lower priority";
        }
    }

    /// Whether nobody of this provider's priority needs to be asked any more, since probing a backend loads its libraries.
    private static boolean isSettled(List<Candidate> candidates, FoundBackend found) {
        return candidates.stream().anyMatch(each -> each.preference() == Candidate.FIRST
                && each.found().priority() > found.priority());
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

    private static Optional<Candidate> candidate(FoundBackend found, LoadOptions options, List<Rejected> rejected) {
        Probe probe = Providers.probe(found);
        Optional<Probe.Available> available = probe.found();
        if (available.isEmpty()) {
            rejected.add(new Rejected(found.name(), "not available: " + probe.obstacle().orElse("no reason given")));
            return Optional.empty();
        }
        List<DeviceInfo> all = available.get().devices();
        boolean graphics = options.device().type().equals(GPU);
        List<DeviceInfo> devices = graphics ? all.stream().filter(d -> d.kind() == DeviceKind.GPU).toList() : all;
        int number = options.device().index();
        Optional<DeviceInfo> device = graphics ? devices.stream().skip(number).findFirst()
                : devices.stream().filter(d -> d.device().index() == number).findFirst();
        if (device.isEmpty()) {
            rejected.add(new Rejected(found.name(), graphics
                    ? "has " + devices.size() + " graphics processors and no number " + number + " among "
                            + all.stream().map(d -> d.device() + " (" + d.kind() + ", " + d.name() + ")").toList()
                    : "has no device " + number + ", only " + all.stream().map(d -> d.device().toString()).toList()));
            return Optional.empty();
        }
        return Optional.of(new Candidate(found, device.get(), available.get().capabilities(),
                preference(device.get(), options)));
    }

    /// Who serves the host's memory through a driver for devices copies what the CPU backend reads in place, so it only
    /// wins where that one is missing.
    private static int preference(DeviceInfo device, LoadOptions options) {
        if (!options.device().type().equals(AUTO) || device.kind() != DeviceKind.CPU) {
            return Candidate.FIRST;
        }
        return device.device().isCpu() ? Candidate.SECOND : Candidate.LAST;
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

package io.fastsafetensors.core.select;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.BackendChoice.Rejected;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.select.Providers.BrokenProvider;
import io.fastsafetensors.core.select.Providers.FoundBackend;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Picks the backend for a device, by the rules that [Device] states: the one asked for by name, or the best of those
/// that are available. A provider that turns out to be broken when it opens the device is rejected like one that is not
/// available, and the next one is taken.
///
/// A device that this process has open is shared: loaders of the same device through the same backend with the same
/// switches get one [SharedBackend], and with it one context, one pool of page-locked slots and the idle streams.
///
/// Everything here is on the way of a process's first load, so it uses loops where lambdas would be linked.
public final class BackendSelector {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private static final String AUTO = "auto";
    private static final String GPU = "gpu";

    /// The open devices; guards itself. A device stays until the last hold on it ends, which removes it under this lock,
    /// so that nobody gets one that is closing.
    private static final Map<Key, SharedBackend> OPEN = new HashMap<>();

    private BackendSelector() {
    }

    /// A backend that was picked and opened.
    ///
    /// @param backend the opened backend, retained once for the caller, who releases it
    /// @param device the device, resolved
    /// @param capabilities what it can do
    /// @param choice why it was picked
    public record Selected(SharedBackend backend, Device device, Set<Capability> capabilities,
            BackendChoice choice) {
    }

    /// Picks and opens. Probes providers on the calling thread, best first, and only as many as may win: a probe loads the
    /// native libraries of its backend.
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
            Candidate best = best(left, options, rejected);
            if (best == null) {
                throw none(providers, options, rejected);
            }
            try {
                SharedBackend opened = shared(best.found(), best.device().device(),
                        BackendOptions.defaults().withStrict(options.strictBackend())
                                .withProperties(options.backendProperties()));
                BackendChoice choice = new BackendChoice(best.found().name(), reason(best, options), rejected);
                if (LOG.isLoggable(Level.DEBUG)) {
                    LOG.log(Level.DEBUG, "backend " + choice);
                }
                return new Selected(opened, best.device().device(), best.capabilities(), choice);
            } catch (BrokenProvider e) {
                left.remove(best.found());
                broken.add(new Rejected(best.found().name(), "not available: " + e.getMessage()));
            }
        }
    }

    /// The key of an open device.
    ///
    /// @param provider the provider's class: a backend that two class loaders have is two backends, whose classes do not
    ///     know each other's buffers
    /// @param options the switches that it was opened with, which the first loader's would otherwise decide for others
    private record Key(Class<?> provider, String name, Device device, BackendOptions options) {
        // Those of a record are linked at run time, in each process's first load.
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Key that && provider.equals(that.provider) && name.equals(that.name)
                    && device.equals(that.device) && options.equals(that.options);
        }

        @Override
        public int hashCode() {
            return 31 * provider.hashCode() + device.hashCode();
        }
    }

    /// The device, opened unless it is open already; retained once for the caller. Opening happens under the lock, so
    /// that of two loaders that begin at once one opens the device and the other one waits for it.
    ///
    /// @throws BrokenProvider if the provider cannot open any device
    /// @throws io.fastsafetensors.error.BackendException if this one cannot be opened
    private static SharedBackend shared(FoundBackend found, Device device, BackendOptions options)
            throws BrokenProvider {
        BackendProvider provider = Objects.requireNonNull(found.provider(), found.name());
        Key key = new Key(provider.getClass(), found.name(), device, options);
        synchronized (OPEN) {
            SharedBackend shared = OPEN.get(key);
            if (shared == null || !shared.tryRetain()) {
                shared = new SharedBackend(Providers.open(found, device, options), closing -> forget(key, closing));
                OPEN.put(key, shared);
            }
            return shared;
        }
    }

    /// Another one may have taken the place of one that is closing.
    private static void forget(Key key, SharedBackend closing) {
        synchronized (OPEN) {
            OPEN.remove(key, closing);
        }
    }

    /// @param rejected every provider with its reason, which is all that a user can go by
    private static BackendUnavailableException none(List<FoundBackend> providers, LoadOptions options,
            List<Rejected> rejected) {
        String wanted = options.device() + options.backend().map(b -> " through backend " + b).orElse("");
        return new BackendUnavailableException(wanted,
                rejected.stream().map(r -> r.name() + ": " + r.reason()).toList(),
                ShippedProviders.wayOut(options.device().type(), options.backend(),
                        providers.stream().map(FoundBackend::name).toList()));
    }

    /// The best that can serve the device, null if there is none.
    ///
    /// @param rejected gets the others, each with its reason, in the order in which they were met
    private static @Nullable Candidate best(List<FoundBackend> providers, LoadOptions options,
            List<Rejected> rejected) {
        List<Candidate> candidates = new ArrayList<>();
        for (FoundBackend found : providers) {
            String mismatch = mismatch(found, options);
            if (mismatch != null) {
                rejected.add(new Rejected(found.name(), mismatch));
            } else if (isSettled(candidates, found)) {
                rejected.add(new Rejected(found.name(), "lower priority"));
            } else {
                Candidate candidate = candidate(found, options, rejected);
                if (candidate != null) {
                    candidates.add(candidate);
                }
            }
        }
        if (candidates.isEmpty()) {
            return null;
        }
        int best = 0;
        for (int i = 1; i < candidates.size(); i++) {
            best = candidates.get(i).compareTo(candidates.get(best)) < 0 ? i : best;
        }
        Candidate chosen = candidates.remove(best);
        for (Candidate other : candidates) {
            rejected.add(new Rejected(other.found().name(), other.whyAfter(chosen)));
        }
        return chosen;
    }

    /// A provider that can serve the device asked for. The best one is the least: by preference, then by priority, then by
    /// the memory of its device, then by name, so that the choice does not depend on the order of the class path.
    ///
    /// @param device which of its devices would be opened
    /// @param preference [#FIRST], [#SECOND] or [#LAST]
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
        for (Candidate each : candidates) {
            if (each.preference() == Candidate.FIRST && each.found().priority() > found.priority()) {
                return true;
            }
        }
        return false;
    }

    /// Why a provider is not asked at all, null if it is. One that cannot even say what it serves is asked, so that its
    /// failure is among the reasons.
    private static @Nullable String mismatch(FoundBackend found, LoadOptions options) {
        if (options.backend().isPresent() && !options.backend().get().equals(found.name())) {
            return "backend " + options.backend().get() + " was asked for";
        }
        if (found.provider() != null && !serves(found.deviceType(), options.device())) {
            return "serves " + found.deviceType() + " devices, not " + options.device();
        }
        return null;
    }

    /// @param provided the device type of a provider
    /// @param wanted the device asked for
    private static boolean serves(String provided, Device wanted) {
        return switch (wanted.type()) {
            case AUTO -> true;
            case GPU -> !provided.equals(Device.CPU.type());
            default -> provided.equals(wanted.type());
        };
    }

    /// The device that a provider would serve the options with, null if it has none of that number.
    ///
    /// @param rejected gets the reason if there is none
    private static @Nullable Candidate candidate(FoundBackend found, LoadOptions options, List<Rejected> rejected) {
        Probe probe = Providers.probe(found);
        if (probe.found().isEmpty()) {
            rejected.add(new Rejected(found.name(), "not available: " + probe.obstacle().orElse("no reason given")));
            return null;
        }
        Probe.Available available = probe.found().get();
        DeviceInfo device = options.device().type().equals(GPU)
                ? graphicsProcessor(found, available.devices(), options.device().index(), rejected)
                : numbered(found, available.devices(), options.device().index(), rejected);
        return device == null ? null
                : new Candidate(found, device, available.capabilities(), preference(device, options));
    }

    /// Of the graphics processors alone, counted from 0: `gpu:1` is the second one, whatever its own number is.
    private static @Nullable DeviceInfo graphicsProcessor(FoundBackend found, List<DeviceInfo> all, int number,
            List<Rejected> rejected) {
        int count = 0;
        for (DeviceInfo device : all) {
            if (device.kind() == DeviceKind.GPU && count++ == number) {
                return device;
            }
        }
        rejected.add(new Rejected(found.name(), "has " + count + " graphics processors and no number " + number
                + " among " + all.stream().map(d -> d.device() + " (" + d.kind() + ", " + d.name() + ")").toList()));
        return null;
    }

    /// By the number that the backend gives it.
    private static @Nullable DeviceInfo numbered(FoundBackend found, List<DeviceInfo> all, int number,
            List<Rejected> rejected) {
        for (DeviceInfo device : all) {
            if (device.device().index() == number) {
                return device;
            }
        }
        rejected.add(new Rejected(found.name(), "has no device " + number + ", only "
                + all.stream().map(d -> d.device().toString()).toList()));
        return null;
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

package io.fastsafetensors.core.select;

import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.api.Diagnostics.GroupReport;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.Services;
import io.fastsafetensors.spi.Services.Found;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.types.Device;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Finds the providers on the class path or module path. One that cannot be constructed, or that fails when it is asked who
/// it is (an [AbstractMethodError], say, from a jar made for another version), is remembered with its error and hides
/// nobody.
///
/// Nothing is cached: which providers there are depends on the class loaders of who asks ([Services]), and providers are
/// cheap to construct by contract. Safe for use by many threads.
public final class Providers {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    /// The device type of a provider that cannot tell.
    private static final String UNKNOWN = "?";
    /// The version of the SPI from which direct storage takes an open file and not a path.
    private static final int DIRECT_STORAGE_OF_FILES = 2;

    /// A backend's provider, asked once for what does not change, or why it cannot be used. The best one is the least: by
    /// priority, then by name; those that cannot be used come last.
    ///
    /// Providers are foreign code: whatever they throw, errors of linking included, is caught here and made a reason.
    /// Only errors of the virtual machine go on.
    ///
    /// @param name its name, or its class's name if it cannot tell
    /// @param deviceType what it serves, `?` if it cannot tell
    /// @param priority its priority, 0 if it cannot tell
    /// @param spiVersion the version of the SPI that it is made for, 0 if it cannot tell
    /// @param provider the provider
    /// @param failure why there is none
    record FoundBackend(String name, String deviceType, int priority, int spiVersion,
            @Nullable BackendProvider provider, Optional<Failure> failure) implements Comparable<FoundBackend> {
        /// Asks a provider who it is. Every first load asks each, so the calls stand here one after another and not each in
        /// a lambda, as those of transports do.
        static FoundBackend of(String className, BackendProvider provider) {
            String name = className;
            String deviceType = UNKNOWN;
            String asked = "name()";
            try {
                name = present(asked, provider.name());
                asked = "spiVersion()";
                int version = provider.spiVersion();
                asked = "deviceType()";
                deviceType = present(asked, provider.deviceType());
                Optional<String> refusal = SpiVersion.refusal(version);
                if (refusal.isPresent()) {
                    return broken(name, deviceType, new Failure(refusal.get(), Optional.empty()));
                }
                asked = "priority()";
                return new FoundBackend(name, deviceType, provider.priority(), version, provider, Optional.empty());
            } catch (BrokenProvider e) {
                return broken(name, deviceType, e.failure());
            } catch (VirtualMachineError e) {
                throw e;
            } catch (Throwable e) {
                return broken(name, deviceType, Failure.of(asked, e));
            }
        }

        static FoundBackend broken(String name, String deviceType, Failure failure) {
            return new FoundBackend(name, deviceType, 0, 0, null, Optional.of(failure));
        }

        @Override
        public int compareTo(FoundBackend other) {
            int order = Integer.compare(other.rank(), rank());
            return order != 0 ? order : name.compareTo(other.name);
        }

        private int rank() {
            return provider == null ? Integer.MIN_VALUE : priority;
        }

        /// Version 1 of the SPI had direct storage of paths, which nothing calls any more.
        boolean hasDirectStorage() {
            return spiVersion >= DIRECT_STORAGE_OF_FILES;
        }

        /// What a provider that fails as no provider may is called in messages.
        String description() {
            return spiVersion == SpiVersion.CURRENT ? "" : " (it is made for version " + spiVersion
                    + " of the SPI, and this is version " + SpiVersion.CURRENT + ")";
        }
    }

    /// A transport's provider, or why it cannot be used.
    ///
    /// @param deviceTypes whose memory it moves between processes
    private record FoundGroup(String name, @Nullable ProcessGroupProvider provider, Set<String> deviceTypes,
            Optional<Failure> failure) {
        static FoundGroup of(String className, ProcessGroupProvider provider) {
            String name = className;
            try {
                name = answer("name()", provider::name);
                Optional<String> refusal = SpiVersion.refusal(answer("spiVersion()", provider::spiVersion));
                if (refusal.isPresent()) {
                    return new FoundGroup(name, null, Set.of(),
                            Optional.of(new Failure(refusal.get(), Optional.empty())));
                }
                return new FoundGroup(name, provider, answer("deviceTypes()", provider::deviceTypes),
                        Optional.empty());
            } catch (BrokenProvider e) {
                return new FoundGroup(name, null, Set.of(), Optional.of(e.failure()));
            }
        }

        Optional<String> unavailable() {
            ProcessGroupProvider there = provider;
            if (there == null) {
                return failure.map(Failure::reason);
            }
            try {
                return answer("unavailable()", there::unavailable);
            } catch (BrokenProvider e) {
                return Optional.of(e.failure().reason());
            }
        }
    }

    /// A provider's failure.
    ///
    /// @param reason for people
    /// @param cause the exception behind it
    record Failure(String reason, Optional<Throwable> cause) {
        static Failure of(String method, Throwable e) {
            return new Failure("its " + method + " fails: " + e, Optional.of(e));
        }

        static Failure constructing(Found<?> found) {
            return new Failure("its provider cannot be constructed: "
                    + found.error().map(Throwable::toString).orElse("no reason given"), found.error());
        }
    }

    /// A provider that fails in a method that must not fail.
    static final class BrokenProvider extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient Failure failure;

        static BrokenProvider opening(FoundBackend found, LinkageError e) {
            return new BrokenProvider(new Failure("its open() fails: " + e + found.description(), Optional.of(e)));
        }

        BrokenProvider(Failure failure) {
            super(failure.reason());
            this.failure = failure;
        }

        Failure failure() {
            return failure;
        }
    }

    private Providers() {
    }

    /// What a provider answers.
    ///
    /// @throws BrokenProvider if it throws or answers null
    private static <T> T answer(String method, Supplier<@Nullable T> call) throws BrokenProvider {
        T answer;
        try {
            answer = call.get();
        } catch (VirtualMachineError e) {
            throw e;
        } catch (Throwable e) {
            throw new BrokenProvider(Failure.of(method, e));
        }
        return present(method, answer);
    }

    private static <T> T present(String method, @Nullable T answer) throws BrokenProvider {
        if (answer == null) {
            throw new BrokenProvider(new Failure("its " + method + " is null", Optional.empty()));
        }
        return answer;
    }

    /// Every backend's provider, best first, and those that are on the path but in no services file, which a jar that
    /// packs several others together often loses. Nothing is probed.
    static List<FoundBackend> backends() {
        List<FoundBackend> backends = new ArrayList<>();
        List<Found<BackendProvider>> all = Services.all(BackendProvider.class, Providers.class);
        for (Found<BackendProvider> found : all) {
            backends.add(found.service().isPresent()
                    ? FoundBackend.of(found.className(), found.service().get())
                    : FoundBackend.broken(found.className(), UNKNOWN, Failure.constructing(found)));
        }
        for (ShippedProviders each : ShippedProviders.unregistered(true, classes(all))) {
            backends.add(FoundBackend.broken(each.provided(), each.deviceType(),
                    new Failure(each.unregistered(), Optional.empty())));
        }
        Collections.sort(backends);
        return backends;
    }

    private static <S> List<String> classes(List<Found<S>> found) {
        List<String> names = new ArrayList<>();
        for (Found<S> each : found) {
            names.add(each.className());
        }
        return names;
    }

    /// What a provider's probe says; a probe that breaks its promise not to throw counts as unavailable.
    static Probe probe(FoundBackend found) {
        BackendProvider provider = found.provider();
        if (provider == null) {
            return unavailable(found.failure().orElse(new Failure("no reason given", Optional.empty())));
        }
        try {
            Probe probe = answer("probe()", provider::probe);
            return found.hasDirectStorage() ? probe : withoutDirectStorage(probe, found.spiVersion());
        } catch (BrokenProvider e) {
            return unavailable(e.failure());
        }
    }

    /// What core and a provider of another version have in common.
    private static Probe withoutDirectStorage(Probe probe, int spiVersion) {
        if (probe.found().isEmpty() || !probe.found().get().capabilities().contains(Capability.DIRECT_STORAGE)) {
            return probe;
        }
        Probe.Available found = probe.found().get();
        EnumSet<Capability> capabilities = EnumSet.copyOf(found.capabilities());
        capabilities.remove(Capability.DIRECT_STORAGE);
        Map<String, String> versions = new HashMap<>(found.versions());
        versions.put("SPI", spiVersion + ", whose direct storage is not used");
        return Probe.available(found.devices()).with(capabilities).withVersions(versions);
    }

    /// As a provider would have said it.
    private static Probe unavailable(Failure failure) {
        return failure.cause().map(cause -> Probe.unavailable(failure.reason(), cause))
                .orElseGet(() -> Probe.unavailable(failure.reason()));
    }

    /// Opens a device. What a provider throws that is no link error is thrown on: it is about this device, and says more
    /// than a rejection could.
    ///
    /// @throws BrokenProvider if the provider does not go together with this version of the SPI, or is broken otherwise
    /// @throws io.fastsafetensors.error.BackendException if the device cannot be opened
    static Backend open(FoundBackend found, Device device, BackendOptions options) throws BrokenProvider {
        BackendProvider provider = Objects.requireNonNull(found.provider(), found.name());
        Backend backend;
        try {
            backend = provider.open(device, options);
        } catch (LinkageError e) {
            throw BrokenProvider.opening(found, e);
        }
        if (backend == null) {
            throw new BrokenProvider(new Failure("its open() is null", Optional.empty()));
        }
        return found.hasDirectStorage() ? backend : new WithoutDirectStorage(backend);
    }

    /// Hides direct storage that core does not know.
    private static final class WithoutDirectStorage extends ForwardingBackend {
        WithoutDirectStorage(Backend backend) {
            super(backend);
        }

        @Override
        public Optional<DirectStorage> directStorage() {
            return Optional.empty();
        }
    }

    /// As [#probe]; a provider made for another version of the SPI is also tried, since it may name what is not there any
    /// more where it opens a device or copies.
    ///
    /// Only for reports (`fst doctor`): a load finds out by itself, and goes on with the next provider.
    private static Probe tried(FoundBackend found) {
        Probe probe = probe(found);
        if (found.spiVersion() == SpiVersion.CURRENT || probe.found().isEmpty()) {
            return probe;
        }
        try {
            tryOut(found, probe.found().get().devices().getFirst().device());
            return probe;
        } catch (BrokenProvider e) {
            return unavailable(e.failure());
        } catch (LinkageError e) {
            return unavailable(BrokenProvider.opening(found, e).failure());
        } catch (FstException e) {
            // A device that is busy, say, is no reason against the provider.
            LOG.log(Level.DEBUG, () -> "backend " + found.name() + " was not tried out", e);
            return probe;
        }
    }

    /// Touches what a load touches, with eight bytes, so that a method that is not there any more is met now.
    private static void tryOut(FoundBackend found, Device device) throws BrokenProvider {
        try (Backend backend = open(found, device, BackendOptions.defaults());
                DeviceBuffer buffer = backend.allocate(Long.BYTES, Long.BYTES);
                StagingBuffer staging = backend.allocateStaging(Long.BYTES);
                CopyStream stream = backend.openCopyStream()) {
            backend.info();
            backend.hints();
            backend.memory();
            stream.copyToDevice(staging.segment().fill((byte) 0), buffer, 0);
            stream.copyToHost(buffer, 0, staging.segment());
            stream.synchronize();
        }
    }

    /// Every backend with what it says of this machine, best first.
    public static List<BackendReport> backendReports() {
        return backends().stream()
                .map(found -> new BackendReport(found.name(), found.deviceType(), found.priority(), tried(found)))
                .toList();
    }

    /// Transports that were found, and those that are on the path but in no services file.
    private static List<FoundGroup> groups() {
        List<Found<ProcessGroupProvider>> all = Services.all(ProcessGroupProvider.class, Providers.class);
        Stream<FoundGroup> found = all.stream()
                .map(each -> each.service().map(provider -> FoundGroup.of(each.className(), provider)).orElseGet(
                        () -> new FoundGroup(each.className(), null, Set.of(),
                                Optional.of(Failure.constructing(each)))));
        Stream<FoundGroup> unregistered = ShippedProviders.unregistered(false, classes(all)).stream()
                .map(each -> new FoundGroup(each.provided(), null, Set.of(),
                        Optional.of(new Failure(each.unregistered(), Optional.empty()))));
        return Stream.concat(found, unregistered).toList();
    }

    /// Every transport between ranks with what it says of this machine; `single` and `local` need nothing and are always
    /// there.
    public static List<GroupReport> groupReports() {
        List<GroupReport> reports = new ArrayList<>();
        reports.add(new GroupReport("single", Optional.empty()));
        reports.add(new GroupReport("local", Optional.empty()));
        for (FoundGroup each : groups()) {
            reports.add(new GroupReport(each.name(), each.unavailable()));
        }
        return reports;
    }

    /// The transports that move memory of a device type between the processes of a job, those that work here first.
    public static List<String> transports(String deviceType) {
        return groups().stream().filter(each -> each.deviceTypes().contains(deviceType))
                .sorted(Comparator.comparing(each -> each.unavailable().isPresent())).map(FoundGroup::name).toList();
    }

    /// The transport of that name.
    ///
    /// @throws UnsupportedFeatureException if there is none or it does not work here; it says why
    public static ProcessGroupProvider group(String name) {
        for (FoundGroup each : groups()) {
            if (each.name().equals(name)) {
                Optional<String> reason = each.unavailable();
                if (each.provider() == null || reason.isPresent()) {
                    throw new UnsupportedFeatureException("the transport " + name + " does not work here: "
                            + reason.orElse("no reason given"), Where.nowhere());
                }
                return each.provider();
            }
        }
        throw new UnsupportedFeatureException("no transport \"" + name + "\" on the path; there are "
                + groupReports().stream().map(GroupReport::name).toList() + ShippedProviders.transportWayOut(name),
                Where.nowhere());
    }
}

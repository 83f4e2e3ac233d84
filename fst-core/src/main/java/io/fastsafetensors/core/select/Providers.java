package io.fastsafetensors.core.select;

import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.api.Diagnostics.GroupReport;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.Services;
import io.fastsafetensors.spi.Services.Found;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The providers on the class path or module path. One that cannot be constructed, or that fails when it is asked who
/// it is (an [AbstractMethodError], say, from a jar made for another version), is remembered with its error and hides
/// nobody.
public final class Providers {
    private static final String UNKNOWN = "?";

    /// A backend's provider, asked once for what does not change, or why it cannot be used.
    ///
    /// @param name its name, or its class's name if it cannot tell
    /// @param deviceType what it serves, `?` if it cannot tell
    /// @param priority its priority, 0 if it cannot tell
    /// @param provider the provider
    /// @param failure why there is none
    record FoundBackend(String name, String deviceType, int priority, @Nullable BackendProvider provider,
            Optional<Failure> failure) {
        static FoundBackend of(String className, BackendProvider provider) {
            String name = className;
            String deviceType = UNKNOWN;
            try {
                name = answer("name()", provider::name);
                deviceType = answer("deviceType()", provider::deviceType);
                return new FoundBackend(name, deviceType, answer("priority()", provider::priority), provider,
                        Optional.empty());
            } catch (BrokenProvider e) {
                return new FoundBackend(name, deviceType, 0, null, Optional.of(e.failure()));
            }
        }
    }

    /// A transport's provider, or why it cannot be used.
    private record FoundGroup(String name, @Nullable ProcessGroupProvider provider, Optional<Failure> failure) {
        static FoundGroup of(String className, ProcessGroupProvider provider) {
            try {
                return new FoundGroup(answer("name()", provider::name), provider, Optional.empty());
            } catch (BrokenProvider e) {
                return new FoundGroup(className, null, Optional.of(e.failure()));
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
        static Failure constructing(Throwable cause) {
            return new Failure("its provider cannot be constructed: " + cause, Optional.of(cause));
        }
    }

    /// A provider that fails in a method that must not fail.
    private static final class BrokenProvider extends Exception {
        private static final long serialVersionUID = 1L;
        private final transient Failure failure;

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
            throw new BrokenProvider(new Failure("its " + method + " fails: " + e, Optional.of(e)));
        }
        if (answer == null) {
            throw new BrokenProvider(new Failure("its " + method + " is null", Optional.empty()));
        }
        return answer;
    }

    /// Best first.
    static List<FoundBackend> backends() {
        List<FoundBackend> backends = new ArrayList<>();
        List<Found<BackendProvider>> all = Services.all(BackendProvider.class, Providers.class);
        for (Found<BackendProvider> found : all) {
            backends.add(found.service().map(provider -> FoundBackend.of(found.className(), provider))
                    .orElseGet(() -> new FoundBackend(found.className(), UNKNOWN, 0, null,
                            found.error().map(Failure::constructing))));
        }
        for (ShippedProviders each : ShippedProviders.unregistered(true, classes(all))) {
            backends.add(new FoundBackend(each.provided(), each.deviceType(), 0, null,
                    Optional.of(new Failure(each.unregistered(), Optional.empty()))));
        }
        backends.sort(Comparator.<FoundBackend>comparingInt(found -> found.provider() == null ? Integer.MIN_VALUE
                : found.priority()).reversed().thenComparing(FoundBackend::name));
        return backends;
    }

    private static <S> List<String> classes(List<Found<S>> found) {
        return found.stream().map(Found::className).toList();
    }

    /// What a provider's probe says; a probe that breaks its promise not to throw counts as unavailable.
    static Probe probe(FoundBackend found) {
        BackendProvider provider = found.provider();
        if (provider == null) {
            return new Probe.Unavailable(found.failure().map(Failure::reason).orElse("no reason given"),
                    found.failure().flatMap(Failure::cause));
        }
        try {
            return answer("probe()", provider::probe);
        } catch (BrokenProvider e) {
            return new Probe.Unavailable(e.failure().reason(), e.failure().cause());
        }
    }

    /// Every backend with what it says of this machine, best first.
    public static List<BackendReport> backendReports() {
        return backends().stream()
                .map(found -> new BackendReport(found.name(), found.deviceType(), found.priority(), probe(found)))
                .toList();
    }

    private static List<FoundGroup> groups() {
        List<Found<ProcessGroupProvider>> all = Services.all(ProcessGroupProvider.class, Providers.class);
        Stream<FoundGroup> found = all.stream()
                .map(each -> each.service().map(provider -> FoundGroup.of(each.className(), provider)).orElseGet(
                        () -> new FoundGroup(each.className(), null, each.error().map(Failure::constructing))));
        Stream<FoundGroup> unregistered = ShippedProviders.unregistered(false, classes(all)).stream()
                .map(each -> new FoundGroup(each.provided(), null,
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

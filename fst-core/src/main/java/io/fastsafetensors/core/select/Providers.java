package io.fastsafetensors.core.select;

import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.api.Diagnostics.GroupReport;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/// The providers on the class path or module path. One that cannot be constructed is remembered with its error and
/// hides nobody.
public final class Providers {
    /// A provider, or why there is none.
    ///
    /// @param name its name, or its class's name if it could not be constructed
    /// @param provider the provider
    /// @param error why it could not be constructed
    record Found<P>(String name, @Nullable P provider, @Nullable Throwable error) {
    }

    private Providers() {
    }

    static List<Found<BackendProvider>> backends() {
        List<Found<BackendProvider>> found = new ArrayList<>();
        collect(ServiceLoader.load(BackendProvider.class), found);
        found.sort(Comparator.<Found<BackendProvider>>comparingInt(f -> f.provider() == null ? Integer.MIN_VALUE
                : f.provider().priority()).reversed().thenComparing(Found::name));
        return found;
    }

    private static <P> void collect(ServiceLoader<P> loader, List<Found<P>> found) {
        Iterator<ServiceLoader.Provider<P>> providers = loader.stream().iterator();
        while (true) {
            String name = "(a services file)";
            try {
                if (!providers.hasNext()) {
                    return;
                }
                ServiceLoader.Provider<P> each = providers.next();
                name = each.type().getName();
                P provider = each.get();
                found.add(new Found<>(provider instanceof BackendProvider b ? b.name()
                        : ((ProcessGroupProvider) provider).name(), provider, null));
            } catch (ServiceConfigurationError | RuntimeException | LinkageError e) {
                found.add(new Found<>(name, null, e));
            }
        }
    }

    /// What a provider's probe says; a probe that breaks its promise not to throw counts as unavailable.
    static Probe probe(Found<BackendProvider> found) {
        if (found.provider() == null) {
            return new Probe.Unavailable("its provider cannot be constructed: " + found.error(),
                    Optional.ofNullable(found.error()));
        }
        try {
            return found.provider().probe();
        } catch (RuntimeException | LinkageError e) {
            return new Probe.Unavailable("its probe failed: " + e, Optional.of(e));
        }
    }

    /// Every backend with what it says of this machine, best first.
    public static List<BackendReport> backendReports() {
        return backends().stream()
                .map(f -> new BackendReport(f.name(), f.provider() == null ? "?" : f.provider().deviceType(),
                        f.provider() == null ? 0 : f.provider().priority(), probe(f)))
                .toList();
    }

    private static List<Found<ProcessGroupProvider>> groups() {
        List<Found<ProcessGroupProvider>> found = new ArrayList<>();
        collect(ServiceLoader.load(ProcessGroupProvider.class), found);
        return found;
    }

    private static Optional<String> unavailable(Found<ProcessGroupProvider> found) {
        return found.provider() == null ? Optional.of("its provider cannot be constructed: " + found.error())
                : found.provider().unavailable();
    }

    /// Every transport between ranks with what it says of this machine; `single` and `local` need nothing and are always
    /// there.
    public static List<GroupReport> groupReports() {
        List<GroupReport> reports = new ArrayList<>();
        reports.add(new GroupReport("single", Optional.empty()));
        reports.add(new GroupReport("local", Optional.empty()));
        for (Found<ProcessGroupProvider> each : groups()) {
            reports.add(new GroupReport(each.name(), unavailable(each)));
        }
        return reports;
    }

    /// The transport of that name.
    ///
    /// @throws UnsupportedFeatureException if there is none or it does not work here; it says why
    public static ProcessGroupProvider group(String name) {
        List<Found<ProcessGroupProvider>> found = groups();
        for (Found<ProcessGroupProvider> each : found) {
            if (each.name().equals(name)) {
                Optional<String> reason = unavailable(each);
                if (each.provider() == null || reason.isPresent()) {
                    throw new UnsupportedFeatureException("the transport " + name + " does not work here: "
                            + reason.orElse("no reason given"), Where.nowhere());
                }
                return each.provider();
            }
        }
        throw new UnsupportedFeatureException("no transport \"" + name + "\" on the path; there are "
                + groupReports().stream().map(GroupReport::name).toList(), Where.nowhere());
    }
}

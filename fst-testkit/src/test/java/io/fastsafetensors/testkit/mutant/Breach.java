package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.FailureHook;
import io.fastsafetensors.testkit.host.HostProvider;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/// A provider with one defect that a generator made, and the rules that may notice: it is enough that one does.
///
/// @param kind the letter and number of the kind of faults, such as `F5`
/// @param name what is wrong
/// @param provider the provider
/// @param rules ids, or beginnings of ids, in the order in which they are tried
/// @param full whether it shows at full effort only
/// @param failures provokes failures of the device, for defects that hide them
public record Breach(String kind, String name, BackendProvider provider, List<String> rules, boolean full,
        Optional<FailureHook> failures) {
    /// What the names of those begin with that were listed before the rules were read.
    public static final String INDEPENDENT = "independent: ";

    /// A defect of everything that host memory can do.
    static Breach of(String kind, String name, Supplier<Layer.Change> changes, String... rules) {
        return of(kind, name, HostProvider.full(), changes, rules);
    }

    static Breach of(String kind, String name, BackendProvider base, Supplier<Layer.Change> changes,
            String... rules) {
        return of(kind, name, Layer.provider(base, changes), rules);
    }

    static Breach of(String kind, String name, BackendProvider provider, String... rules) {
        return new Breach(kind, name, provider, List.of(rules), false, Optional.empty());
    }

    /// The same, to be shown at full effort.
    Breach atFull() {
        return new Breach(kind, name, provider, rules, true, failures);
    }

    /// The same, with failures.
    Breach with(FailureHook hook) {
        return new Breach(kind, name, provider, rules, full, Optional.of(hook));
    }

    @Override
    public String toString() {
        return kind + ": " + name;
    }
}

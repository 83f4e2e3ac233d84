package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.fault.FaultPlan;
import io.fastsafetensors.testkit.fault.FaultyBackendProvider;
import io.fastsafetensors.testkit.fault.Operation;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.host.HostProvider;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Defects of backends that were listed from the faults that strangers met and from the contracts of the SPI, before the
/// rules were read: what the rules catch of them says more than what they catch of defects made for them.
final class Independent {
    private Independent() {
    }

    static List<Breach> all() {
        return Stream.of(IndependentWork.all(), IndependentErrors.all(), IndependentState.all()).flatMap(List::stream)
                .toList();
    }

    static Breach at(String kind, String site, String name, Layer.Change change, String... rules) {
        return of(kind, site + " " + name, HostProvider.full(),
                () -> call -> call.site().equals(site) ? change.call(call) : call.proceed(), rules);
    }

    static Breach of(String kind, String name, BackendProvider base, Supplier<Layer.Change> changes, String... rules) {
        return Breach.of(kind, Breach.INDEPENDENT + name, base, changes, rules);
    }

    static Breach of(String kind, String name, BackendProvider provider, String... rules) {
        return Breach.of(kind, Breach.INDEPENDENT + name, provider, rules);
    }

    /// Work is done by a thread of each stream, copies to the device after two milliseconds.
    static BackendProvider deferred() {
        return new FaultyBackendProvider(HostProvider.full(), slow());
    }

    static FaultPlan slow() {
        return FaultPlan.seeded(Seed.value()).deferred().delay(Operation.COPY_TO_DEVICE, Duration.ofMillis(2));
    }

    static Object some(@Nullable Object answer) {
        return Objects.requireNonNull(answer);
    }
}

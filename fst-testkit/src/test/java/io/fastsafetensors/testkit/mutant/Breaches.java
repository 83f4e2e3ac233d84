package io.fastsafetensors.testkit.mutant;

import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// Every defect that the generators make.
public final class Breaches {
    private Breaches() {
    }

    /// All of them, by name, so that each process has one order whatever its maps have; each run needs new ones.
    public static List<Breach> all() {
        return Stream.of(SizeBreaches.all(), CallBreaches.all(), StateBreaches.all(), Independent.all())
                .flatMap(List::stream)
                .sorted(Comparator.comparing(Breach::name).thenComparing(breach -> breach.rules().toString()))
                .toList();
    }

    /// Ends what leaks of a run hold.
    public static void release() {
        StateBreaches.release();
    }
}

package io.fastsafetensors.testkit.mutant;

import java.util.List;
import java.util.stream.Stream;

/// Every defect that the generators make.
public final class Breaches {
    private Breaches() {
    }

    /// All of them; each run needs new ones.
    public static List<Breach> all() {
        return Stream.of(SizeBreaches.all(), CallBreaches.all(), StateBreaches.all()).flatMap(List::stream).toList();
    }

    /// Ends what leaks of a run hold.
    public static void release() {
        StateBreaches.release();
    }
}

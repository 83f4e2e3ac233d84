package io.fastsafetensors.testkit;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/// The seed of this run's random tests: the system property `fst.seed`, or a fresh one. Put [#note()] into assertion
/// messages, so that a failure can be repeated. Thread-safe.
public final class Seed {
    private static final long VALUE = Long.getLong("fst.seed", new SplittableRandom().nextLong() >>> 1);

    private Seed() {
    }

    /// The seed.
    public static long value() {
        return VALUE;
    }

    /// A generator for one test; different names give different numbers.
    public static RandomGenerator random(String name) {
        return new SplittableRandom(VALUE ^ (name.hashCode() * 0x9E3779B97F4A7C15L));
    }

    /// ` (repeat with -Dfst.seed=…)`
    public static String note() {
        return " (repeat with -Dfst.seed=" + VALUE + ")";
    }
}

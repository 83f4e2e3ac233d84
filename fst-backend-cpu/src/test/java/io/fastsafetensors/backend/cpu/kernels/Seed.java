package io.fastsafetensors.backend.cpu.kernels;

import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/// The seed of a run's random tests: `-Dfst.seed`, or a fresh one.
final class Seed {
    static final long VALUE = Long.getLong("fst.seed", System.nanoTime());

    private Seed() {
    }

    static RandomGenerator generator() {
        return RandomGeneratorFactory.of("L64X128MixRandom").create(VALUE);
    }

    static String note() {
        return " (repeat with -Dfst.seed=" + VALUE + ")";
    }
}

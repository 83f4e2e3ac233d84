package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.testkit.fixture.Seed;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/// A group of rules. Each test gets a backend of its own; hardware that is missing ends it before it begins.
abstract class RuleGroup {
    final BackendConformance suite;
    Workbench bench;

    @SuppressWarnings("NullAway.Init")
    RuleGroup(BackendConformance suite) {
        this.suite = suite;
    }

    @BeforeEach
    void openBench() {
        bench = Workbench.open(suite);
    }

    @AfterEach
    @SuppressWarnings("ConstantValue")
    void closeBench() {
        if (bench != null) {
            bench.close();
        }
    }

    /// This run's generator for the group.
    RandomGenerator random() {
        return Seed.random(getClass().getSimpleName());
    }

    /// Compares and names the first difference.
    static void assertBytes(byte[] expected, byte[] actual, String what) {
        assertEquals(expected.length, actual.length, () -> what + ": size");
        Workbench.assertSame(expected, actual, what);
    }
}

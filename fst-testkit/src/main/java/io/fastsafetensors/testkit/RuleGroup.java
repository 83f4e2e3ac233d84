package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.types.Device;
import java.util.Locale;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/// A group of rules. Each test gets a backend of its own; hardware that is missing ends it before it begins.
abstract class RuleGroup {
    final BackendConformance suite;
    Workbench bench;
    private String odds = "";

    @SuppressWarnings("NullAway.Init")
    RuleGroup(BackendConformance suite) {
        this.suite = suite;
    }

    @BeforeEach
    final void openBench() throws Exception {
        bench = Workbench.open(suite);
        prepare();
    }

    @AfterEach
    @SuppressWarnings("ConstantValue")
    final void closeBench() throws Exception {
        try {
            finish();
        } finally {
            if (bench != null) {
                bench.close();
            }
        }
    }

    /// What each rule of the group needs, on the bench's device.
    void prepare() throws Exception {
        // Most groups need the bench alone.
    }

    /// Closes what [#prepare()] opened.
    void finish() throws Exception {
        // Most groups need the bench alone.
    }

    /// Goes on with another device, of which samples are enough.
    final void moveTo(Device device) throws Exception {
        finish();
        bench.close();
        bench = Workbench.open(suite, device);
        prepare();
    }

    /// How likely the rule misses the defect that it is for, in words; empty where it cannot.
    final String odds() {
        return odds;
    }

    /// States that a defect that shows in one of `every` operations was looked for in `operations`.
    final void stateOdds(String defect, long every, long operations) {
        double missed = Math.pow(1 - 1.0 / (double) every, (double) operations);
        odds = defect + " one in " + every + " times is missed with probability "
                + String.format(Locale.ROOT, "%.1e", missed)
                + " (" + operations + " tries)";
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

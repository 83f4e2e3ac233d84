package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.types.Device;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The suite where hardware or capabilities are missing.
class HardwareTest {
    private static final String REASON = "libacme.so is not installed: apt install libacme";

    /// The rules of registration hold with and without hardware; these providers are registered nowhere.
    private static final Set<String> REGISTRATION = Set.of("P-13", "P-14");

    private String required = "";

    @BeforeEach
    void remember() {
        required = System.getProperty(Requirement.PROPERTY, "");
        System.clearProperty(Requirement.PROPERTY);
    }

    @AfterEach
    void restore() {
        System.setProperty(Requirement.PROPERTY, required);
    }

    @Test
    void missing_hardware_aborts_every_rule_with_its_reason() {
        ConformanceRun run = ConformanceRun.of(new Missing(), Effort.QUICK);
        assertEquals(needingHardware(), run.abortedRules());
        assertEquals(REGISTRATION, run.failedRules());
        assertEquals(Set.of(), run.passedRules());
        requireReasons(run);
    }

    private static Set<String> needingHardware() {
        Set<String> rules = new TreeSet<>(Rules.inCode().keySet());
        rules.removeAll(REGISTRATION);
        return rules;
    }

    private static void requireReasons(ConformanceRun run) {
        assertTrue(run.messages().stream().filter(message -> !message.contains("no provider \"missing\""))
                .allMatch(message -> message.contains(REASON)), () -> "messages: " + run.messages());
    }

    @Test
    void required_hardware_fails_every_rule() {
        for (String names : Set.of("missing", "cuda, missing", "all")) {
            System.setProperty(Requirement.PROPERTY, names);
            ConformanceRun run = ConformanceRun.of(new Missing(), Effort.QUICK);
            assertEquals(Rules.inCode().keySet(), run.failedRules(), names);
            requireReasons(run);
        }
    }

    @Test
    void other_requirements_do_not_matter() {
        System.setProperty(Requirement.PROPERTY, "missing-too,cuda");
        assertEquals(REGISTRATION, ConformanceRun.of(new Missing(), Effort.QUICK).failedRules());
    }

    @Test
    void missing_capabilities_abort_their_rules_by_name() {
        ConformanceRun run = ConformanceRun.of(HostProvider.minimal(), Effort.QUICK);
        assertEquals(Set.of(), run.failedRules());
        // Without a hook that provokes failures, and with one device, some have nothing to try.
        Set<String> expected =
                new TreeSet<>(Set.of("A-07", "A-08", "C-09", "C-12", "M-01", "M-02", "L-04", "N-04", "E-06",
                        "E-07", "E-08", "E-12", "E-13", "E-14", "E-16", "O-13", "O-14", "P-15"));
        Rules.inCode().keySet().stream().filter(id -> id.matches("[KGDF]-.*")).forEach(expected::add);
        assertEquals(expected, run.abortedRules());
        for (String capability : Set.of("KERNELS", "HOST_ADDRESSABLE", "POINTERS", "DIRECT_STORAGE",
                "HOST_REGISTRATION")) {
            assertTrue(run.messages().contains("capability " + capability + " not claimed by host"), capability);
        }
    }

    /// A backend whose library is not there.
    private static final class Missing implements BackendProvider {
        @Override
        public String name() {
            return "missing";
        }

        @Override
        public String deviceType() {
            return "missing";
        }

        @Override
        public int priority() {
            return 0;
        }

        @Override
        public Probe probe() {
            return new Probe.Unavailable(REASON);
        }

        @Override
        public Backend open(Device device, BackendOptions options) {
            throw new IllegalStateException("opened without a device");
        }
    }
}

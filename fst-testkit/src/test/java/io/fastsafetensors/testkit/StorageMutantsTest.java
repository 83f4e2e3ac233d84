package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.storage.MemoryFixture;
import io.fastsafetensors.testkit.storage.MemoryProvider;
import io.fastsafetensors.testkit.storage.StorageMutant;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Each rule for storages catches what it is for.
class StorageMutantsTest {
    private static final String PATIENCE = "fst.testkit.patienceSeconds";
    /// Rules that wait for what their mutants leave open; one second is patience enough.
    private static final Set<String> WAITING = Set.of("S-02", "H-09", "H-10", "H-11", "X-06", "Y-06");

    @BeforeEach
    @AfterEach
    void defaultPatience() {
        System.clearProperty(PATIENCE);
    }

    @TestFactory
    @Tag("slow")
    Stream<DynamicTest> the_intended_rule_fails_in_its_group() {
        return mutants(_ -> true,
                (mutant, fixture) -> ConformanceRun.ofStorageGroup(mutant.provider(), fixture, mutant.rule()));
    }

    /// Those that any other rule may see besides say nothing more here.
    @TestFactory
    @Tag("slow")
    Stream<DynamicTest> the_intended_rule_fails_and_the_others_hold() {
        return mutants(mutant -> mutant.others().isPresent(),
                (mutant, fixture) -> ConformanceRun.ofStorage(mutant.provider(), fixture));
    }

    private interface Run {
        ConformanceRun of(StorageMutant mutant, Supplier<StorageFixture> fixture);
    }

    private static Stream<DynamicTest> mutants(Predicate<StorageMutant> which, Run run) {
        return StorageMutant.all().stream().filter(which)
                .map(mutant -> DynamicTest.dynamicTest(mutant.toString(), () -> check(mutant, run)));
    }

    @Test
    void every_rule_has_a_mutant() {
        Set<String> without = new TreeSet<>(Rules.ofStorages().keySet());
        StorageMutant.all().forEach(mutant -> without.remove(mutant.rule()));
        assertEquals(Set.of(), without, "rules that no mutant puts to the test");
    }

    @Test
    void what_a_storage_lacks_aborts_its_rules_by_name() {
        MemoryProvider plain = MemoryProvider.plain();
        ConformanceRun run = ConformanceRun.ofStorage(plain, () -> new MemoryFixture(plain));
        assertEquals(Set.of(), run.failedRules(), () -> String.join("\n", run.messages()));
        assertEquals(
                new TreeSet<>(Set.of("S-07", "S-09", "S-10", "X-02", "Y-02", "Y-03", "Y-04", "Y-05", "Y-06", "Y-07",
                        "Y-08", "Y-09", "Y-10")),
                run.abortedRules());
        assertTrue(run.passedRules().contains("S-11"), "S-11 is for storages that do not list");
        for (String reason : Set.of("the storage does not list", "memory has no Mapping", "memory has no ability")) {
            assertTrue(run.messages().stream().anyMatch(message -> message.contains(reason)), reason);
        }
    }

    private static void check(StorageMutant mutant, Run suite) {
        if (WAITING.contains(mutant.rule())) {
            System.setProperty(PATIENCE, "1");
        }
        try {
            ConformanceRun run = suite.of(mutant, () -> new MemoryFixture(mutant.memory()));
            Set<String> failed = run.failedRules();
            assertTrue(failed.contains(mutant.rule()),
                    () -> "rule " + mutant.rule() + " does not see it; seen by " + failed);
            Set<String> unexpected = new TreeSet<>(failed);
            unexpected.remove(mutant.rule());
            mutant.others().ifPresentOrElse(unexpected::removeAll, unexpected::clear);
            assertEquals(Set.of(), unexpected, () -> String.join("\n", run.messages()));
        } finally {
            System.clearProperty(PATIENCE);
        }
    }
}

package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.rank.PostProvider;
import io.fastsafetensors.testkit.rank.RankBreach;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Each rule for ranks catches what it is for; every fourth defect is tried unless `fst.testkit.breaches` says which.
class RankMutantsTest {
    private static final int EVERY = 4;
    /// Loads need a loader that knows ranks.
    private static final String LOADS = "R-17";

    @BeforeEach
    void be_impatient() {
        System.setProperty("fst.testkit.patienceSeconds", "3");
    }

    @AfterEach
    void be_patient_again() throws Exception {
        System.clearProperty("fst.testkit.patienceSeconds");
        RankBreach.release();
    }

    private static List<String> ids() {
        return Rules.ofRanks().keySet().stream().filter(id -> !id.equals(LOADS)).toList();
    }

    @Test
    @Tag("slow")
    void a_right_transport_passes() {
        System.clearProperty("fst.testkit.patienceSeconds");
        ConformanceRun run = ConformanceRun.ofRankRules(new PostProvider(), ids());
        assertEquals(Set.of(), run.failedRules(), () -> String.join("\n", run.messages()));
    }

    @TestFactory
    @Tag("slow")
    Stream<DynamicTest> a_breach_is_caught_by_its_rule() {
        String only = System.getProperty("fst.testkit.breaches", "");
        List<RankBreach> all = RankBreach.all();
        return IntStream.range(0, all.size()).filter(i -> !only.isEmpty() || i % EVERY == 0).mapToObj(all::get)
                .filter(breach -> breach.toString().matches(".*(?:" + only + ").*"))
                .map(breach -> DynamicTest.dynamicTest(breach.toString(), () -> {
                    ConformanceRun run = ConformanceRun.ofRankRules(breach.provider(), List.of(breach.rule()));
                    assertEquals(Set.of(breach.rule()), run.failedRules(), () -> String.join("\n", run.messages()));
                }));
    }

    @Test
    void every_rule_has_a_mutant() {
        Set<String> without = new TreeSet<>(ids());
        RankBreach.all().forEach(breach -> without.remove(breach.rule()));
        assertTrue(without.isEmpty(), without::toString);
    }
}

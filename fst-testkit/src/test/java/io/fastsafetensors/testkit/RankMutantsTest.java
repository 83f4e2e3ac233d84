package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.rank.PostProvider;
import io.fastsafetensors.testkit.rank.RankBreach;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Each rule for ranks catches what it is for.
class RankMutantsTest {
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
    void a_right_transport_passes() {
        System.clearProperty("fst.testkit.patienceSeconds");
        ConformanceRun run = ConformanceRun.ofRankRules(new PostProvider(), ids());
        assertEquals(Set.of(), run.failedRules(), () -> String.join("\n", run.messages()));
    }

    @Test
    @Tag("slow")
    void every_breach_is_caught_by_its_rule() {
        Set<String> missed = new TreeSet<>();
        boolean all = System.getProperty("fst.testkit.breaches.all") != null;
        for (RankBreach breach : RankBreach.all()) {
            ConformanceRun run = ConformanceRun.ofRankRules(breach.provider(), all ? ids() : List.of(breach.rule()));
            if (System.getProperty("fst.testkit.breaches.log") != null) {
                System.out.println(breach + " -> " + run.failedRules());
            }
            if (!all && !run.failedRules().contains(breach.rule()) || run.failedRules().isEmpty()) {
                missed.add(breach.toString());
            }
        }
        assertEquals(Set.of(), missed);
    }

    @Test
    void every_rule_has_a_mutant() {
        Set<String> without = new TreeSet<>(ids());
        RankBreach.all().forEach(breach -> without.remove(breach.rule()));
        assertTrue(without.isEmpty(), without::toString);
    }
}

package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.mutant.Breach;
import io.fastsafetensors.testkit.mutant.Breaches;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Defects that a generator makes at every place of the SPI are caught by a rule that its failure names. All of them take
/// minutes: unless `fst.testkit.breaches` says which (`.` is all), every seventh is tried.
@Tag("slow")
class BreachesTest {
    private static final double LEAST = 0.97;
    private static final int EVERY = 7;
    private static final List<String> GROUPS =
            List.of("P-", "A-", "M-", "L-", "O-", "C-", "E-", "N-", "D-", "G-", "K-");
    /// Those that no rule catches on a small machine: device copies of several GiB (3), sums without a lock, memory kept for
    /// each read.
    private static final int KNOWN = 5;

    @BeforeEach
    void be_impatient() {
        System.setProperty("fst.testkit.patienceSeconds", "2");
    }

    @AfterEach
    void be_patient_again() {
        System.clearProperty("fst.testkit.patienceSeconds");
    }

    @Test
    void nearly_every_breach_is_caught_by_a_rule() {
        List<Breach> all = Breaches.all();
        List<String> missed = new ArrayList<>();
        Map<String, Integer> caught = new TreeMap<>();
        String only = System.getProperty("fst.testkit.breaches", "");
        List<Breach> chosen = IntStream.range(0, all.size()).filter(i -> !only.isEmpty() || i % EVERY == 0)
                .mapToObj(all::get).filter(breach -> breach.toString().matches(".*(?:" + only + ").*")).toList();
        double tolerated = only.isEmpty() ? KNOWN : (1 - LEAST) * chosen.size();
        for (Breach breach : chosen) {
            Set<String> rules = catching(breach, !only.isEmpty());
            rules.stream().limit(1).forEach(rule -> caught.merge(rule, 1, Integer::sum));
            if (rules.isEmpty()) {
                missed.add(breach.toString());
            }
            if (System.getProperty("fst.testkit.breaches.log") != null) {
                System.out.println(breach + " -> " + rules);
            }
        }
        assertEquals(all.size(), all.stream().map(Breach::toString).distinct().count(), "a breach twice");
        assertTrue(!only.isEmpty() || all.size() >= 150, () -> all.size() + " breaches");
        assertTrue(missed.size() <= tolerated, () -> missed.size() + " of " + chosen.size()
                + " breaches missed:\n" + String.join("\n", missed) + "\ncaught by rule: " + caught);
    }

    /// The rules that fail: of the first group of the breach that has any; where there is time, of any group.
    private static Set<String> catching(Breach breach, boolean patient) {
        List<String> prefixes = new ArrayList<>(breach.rules());
        if (patient) {
            prefixes.addAll(GROUPS);
        }
        try {
            for (String prefix : prefixes) {
                ConformanceRun run = ConformanceRun.ofRules(breach.provider(),
                        breach.full() ? Effort.FULL : Effort.QUICK, breach.failures(), Rules.ids(List.of(prefix)));
                if (!run.failedRules().isEmpty()) {
                    return new TreeSet<>(run.failedRules());
                }
            }
            return Set.of();
        } finally {
            Breaches.release();
        }
    }
}

package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.testkit.mutant.Mutant;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Each rule catches what it is for, and nothing else does.
@Tag("slow")
class MutantsTest {
    /// Rules that wait for something that their mutant never does; for them two seconds are patience enough.
    private static final Set<String> WAITING = Set.of("O-03");

    @TestFactory
    Stream<DynamicTest> exactly_the_intended_rule_fails() {
        return Mutant.all().stream().map(mutant -> DynamicTest.dynamicTest(mutant.toString(), () -> check(mutant)));
    }

    /// The rules about files have theirs in [FileRulesTest].
    @Test
    void every_rule_has_a_mutant() {
        Set<String> without = Rules.inCode().keySet().stream().filter(id -> !id.startsWith("F-"))
                .collect(Collectors.toCollection(TreeSet::new));
        Mutant.all().forEach(mutant -> without.remove(mutant.rule()));
        assertEquals(Set.of(), without, "rules that no mutant puts to the test");
    }

    private static void check(Mutant mutant) {
        String property = "fst.testkit.patienceSeconds";
        if (WAITING.contains(mutant.rule())) {
            System.setProperty(property, "2");
        }
        try {
            ConformanceRun run = ConformanceRun.of(mutant.provider(), mutant.effort());
            assertEquals(Set.of(mutant.rule()), run.failedRules(), () -> String.join("\n", run.messages()));
        } finally {
            System.clearProperty(property);
        }
    }
}

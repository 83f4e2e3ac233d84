package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.mutant.Mutant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Each rule catches what it is for.
@Tag("slow")
class MutantsTest {
    /// Rules that wait for something that their mutant never does; for them two seconds are patience enough.
    private static final Set<String> WAITING = Set.of("O-03");

    @TestFactory
    Stream<DynamicTest> intended_rule_fails() {
        return Mutant.all().stream().map(mutant -> DynamicTest.dynamicTest(mutant.toString(), () -> check(mutant)));
    }

    /// The rules about files have theirs in [FileRulesTest].
    @Test
    void every_rule_has_a_mutant() {
        Set<String> without = Rules.inCode().keySet().stream().filter(id -> !id.startsWith("F-"))
                .collect(Collectors.toCollection(TreeSet::new));
        without.removeAll(Rules.mutants().keySet());
        assertEquals(Set.of(), without, "rules that no mutant puts to the test");
    }

    /// The rule's group is what is run: other groups have mutants of their own.
    private static void check(Mutant mutant) {
        String property = "fst.testkit.patienceSeconds";
        if (WAITING.contains(mutant.rule())) {
            System.setProperty(property, "2");
        }
        try {
            ConformanceRun run = ConformanceRun.ofRules(mutant.provider(), mutant.effort(), Optional.empty(),
                    Rules.ids(List.of(mutant.rule().substring(0, 2))));
            assertTrue(run.failedRules().contains(mutant.rule()),
                    () -> run.failedRules() + " failed\n" + String.join("\n", run.messages()));
        } finally {
            System.clearProperty(property);
        }
    }
}

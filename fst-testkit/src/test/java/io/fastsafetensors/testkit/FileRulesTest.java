package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.testkit.loader.MiniLoaderProvider;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// The rules about files, put to the test by a small loader with one defect for each.
class FileRulesTest {
    private static final Set<String> FILE_RULES = Rules.inCode().keySet().stream().filter(id -> id.startsWith("F-"))
            .collect(Collectors.toCollection(TreeSet::new));

    private final BackendProvider host = HostProvider.full();

    @BeforeEach
    void findHost() {
        MiniLoaderProvider.backend = Optional.of(host);
    }

    @AfterEach
    void reset() {
        MiniLoaderProvider.backend = Optional.empty();
        MiniLoaderProvider.defect = "";
    }

    @Test
    void right_loader_keeps_every_rule() {
        ConformanceRun run = ConformanceRun.ofFileRules(host);
        assertEquals(FILE_RULES, run.passedRules(), () -> String.join("\n", run.messages()));
        assertEquals(Set.of(), run.failedRules());
    }

    @TestFactory
    @Tag("slow")
    Stream<DynamicTest> intended_rule_fails() {
        assertTrue(FILE_RULES.size() >= 10, FILE_RULES::toString);
        return FILE_RULES.stream().map(rule -> DynamicTest.dynamicTest(rule, () -> {
            MiniLoaderProvider.defect = rule;
            ConformanceRun run = ConformanceRun.ofFileRules(host);
            assertTrue(run.failedRules().contains(rule), () -> String.join("\n", run.messages()));
        }));
    }

    @Test
    void backend_that_the_loader_does_not_find_fails_the_rules() {
        MiniLoaderProvider.backend = Optional.empty();
        ConformanceRun run = ConformanceRun.ofFileRules(host);
        assertEquals(FILE_RULES, run.failedRules());
        assertEquals(Set.of(), run.abortedRules());
        assertTrue(run.messages().stream().allMatch(m -> m.contains("META-INF/services")), run.messages()::toString);
    }
}

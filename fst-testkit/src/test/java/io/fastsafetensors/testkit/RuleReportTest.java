package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.host.HostProvider;
import io.fastsafetensors.testkit.mutant.Forwarding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The report names each rule with what came of it and why.
class RuleReportTest {
    private static final List<String> IDS = List.of("P-04", "P-15", "A-02", "A-07", "O-09", "K-01", "K-03", "F-01");

    @TempDir
    Path folder;

    @AfterEach
    void reset() {
        System.clearProperty(ReportFile.PROPERTY);
    }

    private String report(String suffix) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return Files.readString(files.filter(file -> file.toString().endsWith(suffix)).findFirst().orElseThrow());
        }
    }

    @Test
    void report_tells_what_ran_what_not_and_why() throws IOException {
        System.setProperty(ReportFile.PROPERTY, folder.toString());
        ConformanceRun.ofRules(HostProvider.copying(), Effort.QUICK, Optional.empty(), IDS);
        String text = report(".txt");
        assertTrue(text.contains("backend      host"), text);
        assertTrue(text.contains("device       host:0"), text);
        assertTrue(text.contains("machine "), text);
        assertTrue(text.matches("(?s).*A-02  passed +a buffer has the size.*"), text);
        assertTrue(text.matches("(?s).*P-15  not applicable +every listed.*there is one device.*"), text);
        assertTrue(text.matches("(?s).*K-01  not applicable.*capability KERNELS not claimed.*"), text);
        assertTrue(text.matches("(?s).*K-03  not applicable.*"), text);
        assertTrue(text.matches("(?s).*A-07  skipped.*quick run.*"), text);
        assertTrue(text.matches("(?s).*F-01  not applicable.*without a loader.*"), text);
        assertTrue(text.matches("(?s).*odds: an operation out of order one in 50 times is missed with probability .*"),
                text);
        assertTrue(text.contains("3 passed, 4 not applicable, 1 skipped"), text);
    }

    @Test
    void report_in_json_has_the_same() throws IOException {
        System.setProperty(ReportFile.PROPERTY, folder.toString());
        ConformanceRun.ofRules(HostProvider.copying(), Effort.QUICK, Optional.empty(), IDS);
        String json = report(".json");
        for (String id : IDS) {
            assertTrue(json.contains("{\"id\":\"" + id + "\",\"title\":"), () -> id + " in " + json);
        }
        assertTrue(json.contains("\"backend\":\"host\""), json);
        assertTrue(json.contains("\"reason\":\"capability KERNELS not claimed by host\""), json);
        assertEquals(json.chars().filter(c -> c == '{').count(), json.chars().filter(c -> c == '}').count(), json);
    }

    @Test
    void failed_rule_is_reported_with_its_message() throws IOException {
        System.setProperty(ReportFile.PROPERTY, folder.toString());
        ConformanceRun.ofRules(new Forwarding.OfProvider(HostProvider.copying()) {
            @Override
            public String name() {
                return "Capital";
            }
        }, Effort.QUICK, Optional.empty(), List.of("P-04"));
        assertTrue(report(".txt").matches("(?s).*P-04  failed .*name .Capital.*"), () -> text());
    }

    private String text() {
        try {
            return report(".txt");
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void failed_case_of_a_rule_counts_for_the_rule() throws IOException {
        System.setProperty(ReportFile.PROPERTY, folder.toString());
        ConformanceRun.ofRules(io.fastsafetensors.testkit.mutant.Mutant.all().stream()
                .filter(mutant -> mutant.rule().equals("K-02")).findFirst().orElseThrow().provider(), Effort.QUICK,
                Optional.empty(), List.of("K-02"));
        assertTrue(report(".txt").matches("(?s).*K-02  failed .*"), this::text);
    }

    @Test
    void nothing_is_written_unless_asked_for() throws IOException {
        ConformanceRun.ofRules(HostProvider.copying(), Effort.QUICK, Optional.empty(), List.of("P-04"));
        try (Stream<Path> files = Files.list(folder)) {
            assertFalse(files.findAny().isPresent());
        }
    }
}

package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.testkit.checked.Check;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// RULES.md says what the code says. After a change of rules, `-Dfst.testkit.writeRules=true` writes it again.
class RulesDocumentTest {
    private static final Path DOCUMENT = Path.of("RULES.md");
    private static final Path SOURCES = Path.of("src/main/java/io/fastsafetensors/testkit");
    private static final Pattern RULE = Pattern.compile(
            "((?:    ///.*\\n)+)    @Test(?:Factory)?\\n    @DisplayName\\(\"([A-Z]-\\d\\d) (.+)\"\\)");
    private static final Pattern HEADING = Pattern.compile("### ([A-Z]-\\d\\d) (.+)");
    private static final List<String> ORDER =
            List.of("P", "A", "M", "C", "O", "L", "N", "K", "G", "D", "E", "F", "R", "S", "B",
                    "V", "H", "X", "Y");
    private static final String INTRODUCTION =
            """
                    # What a backend and a storage must do

                    The rules that `BackendConformance` checks. A backend's test extends that class, implements `provider()`, and
                    inherits every rule as a test with the rule's id in its name:

                    ```java
                    class AcmeConformanceTest extends BackendConformance {
                        @Override
                        protected BackendProvider provider() {
                            return new AcmeBackendProvider();
                        }
                    }
                    ```

                    A rule that needs a capability which `probe()` does not claim is aborted with the reason; claimed and broken is a
                    failure. Where the hardware is missing every rule is aborted with the probe's reason; name the provider in
                    `-Dfst.testkit.require=…` (names separated by commas, or `all`) to make that a failure.

                    | system property | effect |
                    |---|---|
                    | `fst.testkit.require` | providers whose hardware must be there |
                    | `fst.testkit.effort` | `full` (default), or `quick`: samples, and nothing over 2 GiB |
                    | `fst.testkit.patienceSeconds` | how long a test waits for a device before it calls it hung; 60 |
                    | `fst.testkit.report` | a folder for reports, text and JSON: what came of each rule and why, backend, device, machine |
                    | `fst.seed` | repeats a run; failures print it |

                    Each rule is tried on the first device that the probe lists, or the one that `device()` says, and then, with samples,
                    on every other one, or those that `devices()` says; a failure names the device.

                    Rules about timing state their odds in the report. Rules about failed work need a hook that provokes a failure:
                    override `failures()`. The rules of group F need fst-core on the test path, and the provider registered; a suite
                    that leaves fst-core out on purpose overrides `withoutLoader()`. Under *Mutants* stand the defects that the rule is
                    known to catch.

                    The rules of group R are those of transports between ranks, which `ProcessGroupConformance` checks in the same way: its
                    suite says the transport's name, forms groups whose ranks are threads, and opens the ranks' devices. A transport whose
                    ranks are processes says in `alone()` how a rank is started whose others never come.

                    The rules of the groups S, B, V, H, X and Y are those of storages. A storage's test extends `StorageConformance`,
                    and gives the provider and a fixture, which writes, replaces and deletes files of the storage and says what else
                    the storage is capable of:

                    ```java
                    class AcmeStorageConformanceTest extends StorageConformance {
                        @Override
                        protected StorageProvider provider() {
                            return new AcmeStorageProvider();
                        }

                        @Override
                        protected StorageFixture fixture() {
                            return new AcmeFixture();
                        }
                    }
                    ```

                    A rule that needs what the fixture does not offer, or an ability that a file lacks and the fixture does not claim,
                    is aborted with the reason. The names of these tests' methods begin with the rule's id.

                    This page is made from the Javadoc of the rules; a test compares the two.
                    """;

    private static final String CHECKS =
            """

                    ## The decorator that checks each call

                    `CheckedBackendProvider` stands around any provider and checks each call to its backends, and each answer,
                    in programs and tests of your own: register a subclass under another name, load with it, and look at
                    `violations()`. Each check has a mutant of its own.

                    | check | who breaks it | what must hold |
                    |---|---|---|
                    """;

    private record Rule(String id, String title, String text, String hint) {
    }

    @Test
    void every_rule_is_in_the_document_and_the_reverse() throws IOException {
        Map<String, String> documented = new TreeMap<>();
        for (String line : Files.readAllLines(DOCUMENT)) {
            Matcher heading = HEADING.matcher(line);
            if (heading.matches()) {
                documented.put(heading.group(1), heading.group(2));
            }
        }
        assertTrue(documented.size() >= 90, () -> "only " + documented.size() + " rules");
        assertEquals(Rules.allInCode(), documented);
    }

    @Test
    void document_has_the_texts_of_the_code() throws IOException {
        String expected = document();
        if (Boolean.getBoolean("fst.testkit.writeRules")) {
            Files.writeString(DOCUMENT, expected);
        }
        assertEquals(expected, Files.readString(DOCUMENT),
                "write it again with -Dtest=RulesDocumentTest -Dfst.testkit.writeRules=true");
    }

    @Test
    void methods_of_storage_rules_begin_with_the_id() throws IOException {
        Matcher matcher = Pattern.compile("@DisplayName\\(\"([A-Z]-\\d\\d) .+\"\\)\\n    void (\\w+)\\(")
                .matcher(sources());
        Map<String, String> methods = new TreeMap<>();
        while (matcher.find()) {
            methods.put(matcher.group(1), matcher.group(2));
        }
        for (String id : Rules.ofStorages().keySet()) {
            String start = id.toLowerCase(Locale.ROOT).replace('-', '_') + "_";
            assertTrue(methods.getOrDefault(id, "").startsWith(start), () -> id + " is " + methods.get(id));
        }
    }

    private static String document() throws IOException {
        Map<String, List<Rule>> groups = new TreeMap<>();
        for (Rule rule : rules()) {
            groups.computeIfAbsent(rule.id.substring(0, 1), _ -> new ArrayList<>()).add(rule);
        }
        Map<String, List<String>> mutants = Rules.mutants();
        StringBuilder text = new StringBuilder(INTRODUCTION);
        for (String group : ORDER) {
            text.append("\n## ").append(groupTitle(group)).append('\n');
            for (Rule rule : groups.getOrDefault(group, List.of())) {
                text.append("\n### ").append(rule.id).append(' ').append(rule.title).append("\n\n").append(rule.text)
                        .append("\n\n*If it fails*").append(rule.hint).append('\n');
                List<String> defects = mutants.getOrDefault(rule.id, List.of());
                if (!defects.isEmpty()) {
                    text.append("\n*Mutants*: ").append(String.join("; ", defects)).append(".\n");
                }
            }
        }
        text.append(CHECKS);
        for (Check check : Check.values()) {
            text.append("| ").append(check).append(" | ").append(check.side().toString().toLowerCase(Locale.ROOT))
                    .append(" | ").append(check.clause()).append(" |\n");
        }
        return text.toString();
    }

    private static List<Rule> rules() throws IOException {
        List<Rule> rules = new ArrayList<>();
        Matcher matcher = RULE.matcher(sources());
        while (matcher.find()) {
            String javadoc = matcher.group(1).replaceAll("(?m)^    /// ?", "").strip();
            String[] parts = javadoc.split("\n\nIf it fails", 2);
            assertEquals(2, parts.length, () -> matcher.group(2) + " has no hint");
            rules.add(new Rule(matcher.group(2), matcher.group(3), plain(parts[0]), plain(parts[1])));
        }
        rules.sort(Comparator.comparing(Rule::id));
        return rules;
    }

    /// The classes of rules, one after the other.
    private static String sources() throws IOException {
        StringBuilder text = new StringBuilder();
        try (Stream<Path> listing = Files.list(SOURCES)) {
            for (Path file : listing.filter(f -> f.toString().endsWith("Rules.java")).sorted().toList()) {
                text.append(Files.readString(file));
            }
        }
        return text.toString();
    }

    /// Links of Javadoc become code: the class's simple name.
    private static String plain(String javadoc) {
        return javadoc.replaceAll("\\[(?:[a-z]+\\.)*([A-Z]\\w*)\\]", "`$1`");
    }

    private static String groupTitle(String letter) {
        return Rules.groups().stream().map(c -> c.getAnnotation(DisplayName.class))
                .filter(Objects::nonNull).map(DisplayName::value).filter(n -> n.startsWith(letter + ":")).findFirst()
                .orElseThrow();
    }
}

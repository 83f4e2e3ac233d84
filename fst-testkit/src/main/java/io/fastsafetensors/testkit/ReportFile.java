package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.testkit.fixture.JsonWriting;
import io.fastsafetensors.testkit.fixture.Seed;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.time.Duration;
import java.util.stream.Collectors;

/// Writes the results of a suite's rules, as text and as JSON: two files named after the suite's class, in the folder
/// that the system property `fst.testkit.report` names. Thread-safe.
final class ReportFile {
    static final String PROPERTY = "fst.testkit.report";
    private static final int WIDTH = 15;

    /// The result of a rule; of several tests of one rule the worst.
    enum Outcome {
        /// It holds.
        PASSED,
        /// It concerns something that is not claimed.
        NOT_APPLICABLE,
        /// It could not be tried here.
        SKIPPED,
        /// It does not hold.
        FAILED;

        /// As reports say it.
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    private record Entry(Rule rule, Outcome outcome, String reason, Duration took, String odds) {
        Entry and(Entry other) {
            Entry worst = other.outcome.compareTo(outcome) > 0 ? other : this;
            return new Entry(rule, worst.outcome, worst.reason, took.plus(other.took),
                    odds.isEmpty() ? other.odds : odds);
        }
    }

    private final String suiteClass;
    private final Map<String, String> facts;
    private final Map<String, Entry> entries = new TreeMap<>();

    /// @param suiteClass the class that was run
    /// @param suite an instance of it, which is asked what it tests
    ReportFile(String suiteClass, Object suite) {
        this.suiteClass = suiteClass;
        this.facts = facts(suite);
    }

    synchronized void add(Rule rule, Outcome outcome, String reason, Duration took, String odds) {
        entries.merge(rule.id(), new Entry(rule, outcome, reason.strip(), took, odds), Entry::and);
    }

    /// Writes the report if the property says where.
    void write() {
        Optional.ofNullable(System.getProperty(PROPERTY)).filter(folder -> !folder.isBlank())
                .ifPresent(folder -> write(Path.of(folder)));
    }

    private synchronized void write(Path folder) {
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve(suiteClass + ".txt"), text());
            Files.writeString(folder.resolve(suiteClass + ".json"), json());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the report that -D" + PROPERTY + " asks for", e);
        }
    }

    private Map<Outcome, Long> counts() {
        return entries.values().stream().collect(Collectors.groupingBy(Entry::outcome,
                TreeMap::new, Collectors.counting()));
    }

    private String text() {
        StringBuilder text = new StringBuilder();
        facts.forEach((name, value) -> text.append(String.format("%-12s %s%n", name, value)));
        text.append(String.format("%-12s %s%n%n", "rules", counts().entrySet().stream()
                .map(e -> e.getValue() + " " + e.getKey()).collect(Collectors.joining(", "))));
        for (Entry entry : entries.values()) {
            text.append(String.format("%s  %-" + WIDTH + "s%s%n", entry.rule.id(), entry.outcome, entry.rule.title()));
            if (!entry.reason.isEmpty()) {
                text.append(entry.reason.indent(WIDTH + 6));
            }
            if (!entry.odds.isEmpty()) {
                text.append(("odds: " + entry.odds).indent(WIDTH + 6));
            }
        }
        return text.toString();
    }

    private String json() {
        List<String> members = new ArrayList<>();
        facts.forEach((name, value) -> members.add(JsonWriting.quote(name) + ":" + JsonWriting.quote(value)));
        members.add("\"rules\":[\n" + entries.values().stream().map(ReportFile::json)
                .collect(Collectors.joining(",\n")) + "]");
        return "{" + String.join(",\n", members) + "}\n";
    }

    private static String json(Entry entry) {
        Map<String, String> members = new LinkedHashMap<>();
        members.put("id", entry.rule.id());
        members.put("title", entry.rule.title());
        members.put("outcome", entry.outcome.toString());
        members.put("reason", entry.reason);
        members.put("odds", entry.odds);
        members.put("milliseconds", String.valueOf(entry.took.toMillis()));
        members.values().removeIf(String::isEmpty);
        return JsonWriting.object(members);
    }

    private static Map<String, String> facts(Object suite) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("suite", suite.getClass().getName());
        facts.put("testkit", version(ReportFile.class));
        facts.put("spi", version(BackendProvider.class) + ", contract " + SpiVersion.running());
        switch (suite) {
            case BackendConformance backend -> ofBackend(backend, facts);
            case ProcessGroupConformance group -> {
                facts.put("transport", group.transport());
                facts.put("ranks", group.sizes().toString());
            }
            case StorageConformance storage -> {
                facts.put("storage", String.join(", ", storage.provider().schemes()));
                facts.put("effort", storage.effort().toString().toLowerCase(Locale.ROOT));
            }
            default -> throw new IllegalArgumentException(suite + " is no suite of rules");
        }
        Runtime machine = Runtime.getRuntime();
        facts.put("machine", System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                + System.getProperty("os.arch") + ", " + machine.availableProcessors() + " processors");
        facts.put("java", Runtime.version() + ", heap of " + (machine.maxMemory() >> 20) + " MiB");
        facts.put("seed", String.valueOf(Seed.value()));
        return facts;
    }

    private static void ofBackend(BackendConformance suite, Map<String, String> facts) {
        BackendProvider provider = suite.provider();
        facts.put("backend", provider.name());
        facts.put("effort", suite.effort().toString().toLowerCase(Locale.ROOT));
        Probe probe;
        try {
            probe = provider.probe();
        } catch (RuntimeException | LinkageError e) {
            facts.put("unavailable", "probe() threw " + e);
            return;
        }
        if (!(probe instanceof Probe.Available available)) {
            facts.put("unavailable", probe instanceof Probe.Unavailable there ? there.reason() : probe.toString());
            return;
        }
        if (!available.devices().isEmpty()) {
            facts.put("device", suite.device(available).toString());
        }
        facts.put("devices", available.devices().stream()
                .map(d -> d.device() + " (" + d.name() + ", " + d.totalBytes() + " bytes)")
                .collect(Collectors.joining(", ")));
        facts.put("capabilities", available.capabilities().stream().sorted(Comparator.naturalOrder())
                .map(String::valueOf).collect(Collectors.joining(", ")));
        facts.put("versions", new TreeMap<>(available.versions()).toString());
    }

    /// The version of the jar or module that a class is of.
    private static String version(Class<?> type) {
        return Optional.ofNullable(type.getModule().getDescriptor()).flatMap(d -> d.rawVersion())
                .or(() -> Optional.ofNullable(type.getPackage().getImplementationVersion())).orElse("not packaged");
    }

    /// The outcomes, for people who read an exception.
    @Override
    public String toString() {
        return suiteClass + ": " + Arrays.toString(counts().entrySet().toArray());
    }
}

package io.fastsafetensors.acceptance;

import io.fastsafetensors.test.Prerequisite;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/// A table of the tests that one build skipped because something is missing on the machine: what, how many, how to get
/// it. Read from Surefire's reports, where a reason has the form
///
/// ```
/// missing prerequisite: NAME (HOW): DETAIL
/// ```
///
/// Every other reason says that a test does not apply, and is counted in one line.
public final class SkipTable {
    private static final Pattern MISSING = Pattern.compile("missing prerequisite: ([^(]+) \\(([^)]*)\\)");

    private final Map<String, Row> rows = new TreeMap<>();
    private int tests;
    private int inapplicable;

    private record Row(String how, int tests) {
    }

    private SkipTable() {
    }

    /// Prints the table of one build; nothing if no test was run.
    ///
    /// @param arguments the root of the source tree, and when the build began (ISO 8601)
    public static void main(String[] arguments) throws IOException {
        System.out.print(of(Path.of(arguments[0]), Instant.parse(arguments[1])));
    }

    /// Reads the reports below each module's `target`.
    ///
    /// @param root holds the modules
    /// @param start reports written before are those of other builds
    static SkipTable of(Path root, Instant start) throws IOException {
        SkipTable table = new SkipTable();
        try (DirectoryStream<Path> modules = Files.newDirectoryStream(root, Files::isDirectory)) {
            for (Path module : modules) {
                Path reports = module.resolve("target/surefire-reports");
                if (Files.isDirectory(reports)) {
                    table.addAll(reports, start);
                }
            }
        }
        return table;
    }

    private void addAll(Path folder, Instant start) throws IOException {
        try (DirectoryStream<Path> reports = Files.newDirectoryStream(folder, "TEST-*.xml")) {
            for (Path report : reports) {
                if (!Files.getLastModifiedTime(report).toInstant().isBefore(start)) {
                    add(report);
                }
            }
        }
    }

    private void add(Path report) throws IOException {
        XMLInputFactory factory = XMLInputFactory.newFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        try (InputStream in = Files.newInputStream(report)) {
            XMLStreamReader reader = factory.createXMLStreamReader(in);
            while (reader.hasNext()) {
                if (reader.next() == XMLStreamConstants.START_ELEMENT) {
                    switch (reader.getLocalName()) {
                        case "testcase" -> tests++;
                        case "skipped" -> skipped(reader);
                        default -> {
                        }
                    }
                }
            }
        } catch (XMLStreamException e) {
            throw new IOException(report + " is no report of Surefire: " + e.getMessage(), e);
        }
    }

    /// What of `-Dfst.require` makes a failure of it.
    private static String requiredBy(String title) {
        return Arrays.stream(Prerequisite.values()).filter(one -> one.title().equals(title))
                .map(one -> one.isObtainable() ? "all" : one.key()).findFirst().orElse("its name");
    }

    /// An annotation's reason is an attribute; that of an assumption is in the text, before the stack.
    private void skipped(XMLStreamReader reader) throws XMLStreamException {
        String message = reader.getAttributeValue(null, "message");
        Matcher missing = MISSING.matcher(message == null ? reader.getElementText() : message);
        if (missing.find()) {
            rows.merge(missing.group(1), new Row(missing.group(2), 1), (a, _) -> new Row(a.how, a.tests + 1));
        } else {
            inapplicable++;
        }
    }

    /// The lines as printed.
    @Override
    public String toString() {
        if (tests == 0) {
            return "";
        }
        List<String> lines = new ArrayList<>(List.of(""));
        if (rows.isEmpty()) {
            lines.add("No test was skipped for want of a prerequisite.");
        } else {
            int width = Math.max(7, rows.keySet().stream().mapToInt(String::length).max().orElse(0));
            String format = "  %-" + width + "s  %6s  %-11s  %s";
            lines.add("Tests that were skipped because something is missing on this machine:");
            lines.add("");
            lines.add(format.formatted("missing", "tests", "required by", "how to get it"));
            rows.forEach((name, row) -> lines.add(format.formatted(name, row.tests, requiredBy(name), row.how)));
            lines.add("");
            lines.add(
                    "-Dfst.require=all makes a failure of each of them but those that have their own name here, which no"
                            + " package brings.");
        }
        if (inapplicable > 0) {
            lines.add(
                    inapplicable + " of " + tests + " tests do not apply here: rules for abilities that a backend does"
                            + " not claim, cases of other systems.");
        }
        return String.join(System.lineSeparator(), lines) + System.lineSeparator();
    }
}

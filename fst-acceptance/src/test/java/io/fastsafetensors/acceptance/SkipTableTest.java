package io.fastsafetensors.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.Prerequisite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SkipTableTest {
    private static final Instant START = Instant.parse("2026-01-02T03:04:05Z");

    @TempDir
    private Path root;

    private void report(String module, String name, Instant written, String... cases) throws IOException {
        Path folder = Files.createDirectories(root.resolve(module).resolve("target/surefire-reports"));
        Path file = Files.writeString(folder.resolve("TEST-" + name + ".xml"), "<?xml version=\"1.0\"?><testsuite>"
                + String.join("", cases) + "</testsuite>");
        Files.setLastModifiedTime(file, FileTime.from(written));
    }

    private static String skipped(String content) {
        return "<testcase name=\"a\">" + content + "</testcase>";
    }

    /// As Surefire writes an assumption that failed.
    private static String aborted(String message) {
        return skipped("<skipped type=\"org.opentest4j.TestAbortedException\"><![CDATA[org.opentest4j."
                + "TestAbortedException: " + message
                + "\n\tat org.junit.jupiter.api.Assumptions.abort(A.java:1)\n]]></skipped>");
    }

    private List<String> table() throws IOException {
        return SkipTable.of(root, START).toString().lines().map(line -> line.strip().replaceAll(" {2,}", " | "))
                .toList();
    }

    @Test
    void what_is_missing_is_counted_over_all_modules_with_how_to_get_it() throws IOException {
        report("fst-a", "One", START, aborted("missing prerequisite: gcc (apt install gcc): cc cannot be started"),
                aborted("missing prerequisite: gcc (apt install gcc)"), "<testcase name=\"b\"/>");
        report("fst-b", "Two", START.plusSeconds(9),
                skipped("<skipped message=\"missing prerequisite: cuda (an NVIDIA GPU): no driver\"/>"),
                aborted("missing prerequisite: gcc (apt install gcc)"), aborted("capability X is not claimed"));
        List<String> lines = table();
        assertTrue(lines.contains("gcc | 3 | all | apt install gcc"), lines.toString());
        assertTrue(lines.contains("cuda | 1 | its name | an NVIDIA GPU"), lines.toString());
        assertTrue(lines.getLast().startsWith("1 of 6 tests do not apply here"), lines.toString());
    }

    @Test
    void every_prerequisite_gets_its_row() throws IOException {
        for (Prerequisite one : Prerequisite.values()) {
            report("fst-a", one.name(), START,
                    aborted("missing prerequisite: " + one.title() + " (" + one.how() + ")"));
        }
        List<String> lines = table();
        for (Prerequisite one : Prerequisite.values()) {
            assertTrue(lines.contains(one.title() + " | 1 | " + (one.isObtainable() ? "all" : one.key()) + " | "
                    + one.how()), one + " in " + lines);
        }
    }

    @Test
    void reports_of_earlier_builds_do_not_count() throws IOException {
        report("fst-a", "Old", START.minusSeconds(1), aborted("missing prerequisite: gcc (apt install gcc)"));
        assertEquals("", SkipTable.of(root, START).toString());
        report("fst-a", "New", START, "<testcase name=\"b\"/>");
        assertEquals(List.of("", "No test was skipped for want of a prerequisite."), table());
    }

    @Test
    void a_report_that_cannot_be_read_is_an_error() throws IOException {
        report("fst-a", "Cut", START, "<testcase name=\"b\">");
        IOException e = assertThrows(IOException.class, () -> SkipTable.of(root, START));
        assertTrue(e.getMessage().contains("TEST-Cut.xml"), e.getMessage());
    }
}

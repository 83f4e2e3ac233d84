package io.fastsafetensors.architecture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// The Javadoc summary of every type and package, tests included, names its role ("Reads …", "A reference-counted
/// …"): none begins with a question word. Reads sources, because some modules are built after this one, or not at
/// all.
class SummariesTest {
    private static final Pattern TYPE = Pattern
            .compile(" *(?:(?:public|protected|private|static|final|abstract|sealed|non-sealed) )*"
                    + "(?:class|interface|record|enum|@interface|package) ([\\w.]+).*");
    private static final Pattern QUESTION =
            Pattern.compile(" */// *(?:What|How|Where|Who|Which|Whether|When|Why)\\b.*");

    private record Summary(String type, String firstLine) {
        boolean isQuestion() {
            return QUESTION.matcher(firstLine).matches();
        }
    }

    @Test
    void no_summary_of_a_type_begins_with_a_question_word() throws IOException {
        List<String> found = new ArrayList<>();
        int types = 0;
        for (Path source : sources()) {
            for (Summary summary : summaries(Files.readAllLines(source))) {
                types++;
                if (summary.isQuestion()) {
                    found.add(source + ": " + summary.type());
                }
            }
        }
        assertEquals(List.of(), found, "begin with the type's role");
        assertTrue(types > 700, "only " + types + " types with a summary");
    }

    @Test
    void question_words_are_found_at_types_and_nowhere_else() {
        List<Summary> summaries = summaries("""
                /// How it is.
                ///
                /// More.
                @FunctionalInterface
                public interface First {
                    /// What it gives.
                    int get();

                    /// Whatever.
                    record Second(int a) {
                    }

                    // Who
                    class Third {
                    }
                }
                """.lines().toList());
        assertEquals(List.of("First", "Second"), summaries.stream().map(Summary::type).toList());
        assertEquals(List.of("First"), summaries.stream().filter(Summary::isQuestion).map(Summary::type).toList());
    }

    private static List<Summary> summaries(List<String> lines) {
        List<Summary> summaries = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            Matcher type = TYPE.matcher(lines.get(i));
            if (type.matches()) {
                summary(lines, i).ifPresent(line -> summaries.add(new Summary(type.group(1), line)));
            }
        }
        return summaries;
    }

    /// The first line of the comment above a declaration and its annotations.
    private static Optional<String> summary(List<String> lines, int declaration) {
        int end = declaration;
        while (end > 0 && lines.get(end - 1).strip().startsWith("@")) {
            end--;
        }
        int start = end;
        while (start > 0 && lines.get(start - 1).strip().startsWith("///")) {
            start--;
        }
        return start == end ? Optional.empty() : Optional.of(lines.get(start));
    }

    private static List<Path> sources() throws IOException {
        List<Path> sources = new ArrayList<>();
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            for (Path root : modules.flatMap(module -> Stream.of("src/main/java", "src/test/java").map(module::resolve))
                    .filter(Files::isDirectory).toList()) {
                try (Stream<Path> files = Files.walk(root)) {
                    // This test has summaries of both kinds in a text.
                    files.filter(file -> file.toString().endsWith(".java") && !file.endsWith("SummariesTest.java"))
                            .forEach(sources::add);
                }
            }
        }
        return sources;
    }
}

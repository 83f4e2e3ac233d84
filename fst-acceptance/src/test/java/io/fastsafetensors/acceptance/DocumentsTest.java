package io.fastsafetensors.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/// Compares what the documents say of versions, links, figures, messages and tests with what is there.
class DocumentsTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern LINK =
            Pattern.compile("(?<!!)\\[[^\\]\\[]*\\]\\(([^)\\s]+)\\)|srcset=\"([^\"]+)\"|src=\"([^\"]+)\"");
    private static final Pattern CODE = Pattern.compile("(?ms)^ *```.*?^ *```$|``[^`]+``|`[^`\n]*`");
    private static final Pattern FIGURE =
            Pattern.compile("\\d[\\d.,]*(?: (?:to|and) [\\d.,]+|[–-][\\d.,]+)? ?(?:GB/s|MB/s|ms|µs|×|s)(?![\\w/])");

    private static final List<Path> TREE = tree();

    /// The files of the source tree, without what builds make.
    private static List<Path> tree() {
        List<Path> files = new ArrayList<>();
        try {
            Files.walkFileTree(ROOT, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                    return List.of("target", ".git", "node_modules").contains(folder.getFileName().toString())
                            ? FileVisitResult.SKIP_SUBTREE
                            : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    if (attributes.isRegularFile()) {
                        files.add(file);
                    }
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        files.sort(null);
        return List.copyOf(files);
    }

    private static List<Path> files(String name) {
        return TREE.stream().filter(file -> file.getFileName().toString().matches(name)).toList();
    }

    private static List<Path> documents() {
        return files(".*\\.md");
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String first(String text, String pattern) {
        return Pattern.compile(pattern).matcher(text).results().findFirst()
                .orElseThrow(() -> new AssertionError(pattern))
                .group(1);
    }

    @Test
    void every_place_names_the_version_of_the_parent() throws IOException {
        String parent = text(ROOT.resolve("pom.xml"));
        String version = first(parent, "<artifactId>fst</artifactId>\\s*<version>([^<]+)</version>");
        List<String> others = new ArrayList<>();
        for (Path file : files("pom\\.xml|.*\\.md")) {
            if (file.endsWith("CHANGELOG.md")) {
                continue;
            }
            String text = text(file);
            for (String pattern : List.of("<artifactId>fst(?:-[a-z-]+)?</artifactId>\\s*<version>([^<$]+)</version>",
                    "io\\.fastsafetensors:fst-[a-z-]+:([0-9][^\"'\\s)]*)",
                    "Version ([0-9][0-9.]*[0-9]) is not on Maven Central")) {
                Pattern.compile(pattern).matcher(text).results().map(found -> found.group(1))
                        .filter(found -> !found.equals(version))
                        .forEach(found -> others.add(ROOT.relativize(file) + ": " + found));
            }
        }
        assertEquals(List.of(), others, "the parent has " + version);
        String released = version.replace("-SNAPSHOT", "");
        assertTrue(text(ROOT.resolve("CHANGELOG.md")).contains("\n## " + released + " "),
                "CHANGELOG.md has no " + released);
        assertTrue(parent.contains("<tag>v" + released + "</tag>"));
        assertEquals(first(parent, "<release.date>([^<]+)</release.date>"),
                first(parent, "<project.build.outputTimestamp>([^T]+)T"));
    }

    @Test
    void links_lead_to_files_and_headings_that_exist() throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path file : documents()) {
            String text = CODE.matcher(text(file)).replaceAll("");
            for (MatchResult link : LINK.matcher(text).results().toList()) {
                String target =
                        Stream.of(1, 2, 3).map(link::group).filter(each -> each != null).findFirst().orElseThrow();
                if (target.matches("(https?|mailto):.*")) {
                    URI.create(target);
                    continue;
                }
                String[] parts = target.split("#", 2);
                Path to = parts[0].isEmpty() ? file : file.resolveSibling(parts[0]).normalize();
                boolean right = Files.exists(to)
                        && (parts.length == 1 || !to.toString().endsWith(".md") || anchors(to).contains(parts[1]));
                if (!right) {
                    broken.add(ROOT.relativize(file) + ": " + target);
                }
            }
        }
        assertEquals(List.of(), broken);
    }

    /// The headings of a document as a reader of the page addresses them.
    private static Set<String> anchors(Path document) {
        return text(document).lines().filter(line -> line.matches("#+ .*"))
                .map(line -> line.replaceFirst("#+ ", "").toLowerCase(Locale.ROOT).replaceAll("[^\\p{L}\\p{N} _-]", "")
                        .replace(' ', '-'))
                .collect(Collectors.toSet());
    }

    @Test
    void every_document_is_in_the_index() throws IOException {
        String index = text(ROOT.resolve("docs/README.md"));
        Path docs = ROOT.resolve("docs");
        for (Path file : documents()) {
            if (file.startsWith(docs) && !file.endsWith("docs/README.md")) {
                assertTrue(index.contains("(" + docs.relativize(file) + ")"), file.toString());
            }
        }
    }

    /// The figures of a text outside of code.
    private static Set<String> figures(String text) {
        return FIGURE.matcher(CODE.matcher(text).replaceAll("")).results().map(MatchResult::group)
                .map(figure -> figure.replace('–', '-')).collect(Collectors.toCollection(TreeSet::new));
    }

    /// `figures.tsv` lists every figure of speed in a document with where it comes from: a row of a result, which has the
    /// figure or one that rounds to it; a setting; or a sample of what is printed.
    @Test
    void every_figure_is_that_of_a_result() throws IOException {
        Path benchmarks = ROOT.resolve("docs/benchmarks");
        Set<String> listed = new TreeSet<>();
        for (String line : Files.readAllLines(benchmarks.resolve("figures.tsv")).stream().skip(1).toList()) {
            String[] cells = line.split("\t", -1);
            listed.add(cells[0] + "\t" + cells[1]);
            if (!cells[2].matches("setting|sample")) {
                String row = text(benchmarks.resolve(cells[2])).lines().filter(each -> each.startsWith(cells[3] + "\t"))
                        .findFirst().orElseThrow(() -> new AssertionError(cells[2] + " has no row " + cells[3]));
                BigDecimal figure = new BigDecimal(cells[1].split(" ", 2)[0]);
                BigDecimal measured = new BigDecimal(row.split("\t", -1)[2]);
                assertEquals(figure, measured.setScale(figure.scale(), RoundingMode.HALF_UP), line);
                assertEquals(cells[1].split(" ", 2)[1], row.split("\t", -1)[1], line);
            }
        }
        Set<String> found = new TreeSet<>();
        for (Path file : documents()) {
            if (!file.startsWith(benchmarks) && !file.endsWith("CHANGELOG.md")) {
                figures(text(file)).forEach(figure -> found.add(ROOT.relativize(file) + "\t" + figure));
            }
        }
        assertEquals(String.join("\n", listed), String.join("\n", found));
    }

    @Test
    void the_tables_of_a_benchmark_are_its_result_files() throws IOException {
        String document = text(ROOT.resolve("docs/benchmarks/cuda-load.md"));
        for (String line : Files.readAllLines(ROOT.resolve("docs/benchmarks/results/h200-2026-11-23.tsv"))) {
            assertTrue(document.contains("| " + line.replace("\t", " | ") + " |"), line);
        }
    }

    @Test
    void the_chart_is_drawn_from_the_results_and_readme_says_the_same() throws IOException {
        ChildProcess
                .of(Path.of(System.getProperty("java.home"), "bin", "java"), "docs/benchmarks/Chart.java", "--check")
                .under(List.of()).directory(ROOT).run().succeeded();
        String readme = text(ROOT.resolve("README.md"));
        String chart = text(ROOT.resolve("docs/images/h200-light.svg"));
        for (String figure : first(readme, "alt=\"([^\"]+)\"").replaceAll("[^0-9. ]", " ").trim().split(" +")) {
            assertTrue(chart.contains(">" + figure + "<")
                    || chart.contains(figure + " GB")
                    || figure.equals("200"), "the picture's text says " + figure);
        }
    }

    @Test
    void readmes_first_program_compiles() throws IOException {
        String snippet = Markdown.read(ROOT.resolve("README.md")).block("java", "cuda:0");
        assertTrue(snippet.lines().count() <= 6, snippet);
        String program =
                "import io.fastsafetensors.api.*; import java.nio.file.Path; class Snippet { void run() { " + snippet
                        + " } }";
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        JavaFileObject source =
                new SimpleJavaFileObject(URI.create("string:///Snippet.java"), JavaFileObject.Kind.SOURCE) {
                    @Override
                    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                        return program;
                    }
                };
        List<String> errors = new ArrayList<>();
        Path output = Files.createTempDirectory("snippet");
        assertTrue(compiler.getTask(null, null, problem -> errors.add(problem.toString()), List.of("-proc:none", "-d",
                output.toString(), "-cp", System.getProperty("java.class.path")), null, List.of(source)).call(),
                errors::toString);
        Files.deleteIfExists(output.resolve("Snippet.class"));
        Files.delete(output);
    }

    @Test
    void troubleshooting_quotes_real_messages() throws IOException {
        String sources =
                Stream.concat(files(".*\\.java").stream().filter(file -> file.toString().contains("/src/main/")),
                        Stream.of(ROOT.resolve("fst"))).map(DocumentsTest::text).collect(Collectors.joining("\n"));
        // A message may be put together from several literals.
        String joined = sources.replaceAll("\"\\s*\\+\\s*\"", "");
        List<String> headings =
                text(ROOT.resolve("docs/troubleshooting.md")).lines().filter(line -> line.startsWith("### "))
                        .map(line -> line.substring(4).replace("`", "")).toList();
        assertFalse(headings.isEmpty());
        for (String heading : headings) {
            assertTrue(joined.contains(heading), "no message has: " + heading);
        }
    }

    @Test
    void the_security_policy_names_tests_that_exist() throws IOException {
        String policy = text(ROOT.resolve("SECURITY.md"));
        Set<String> existing = new HashSet<>();
        for (Path file : files(".*Test\\.java")) {
            Pattern.compile("void (\\w+)\\(").matcher(new String(Files.readAllBytes(file), StandardCharsets.UTF_8))
                    .results()
                    .forEach(method -> existing
                            .add(file.getFileName().toString().replace(".java", ".") + method.group(1)));
        }
        List<String> named =
                Pattern.compile("`(\\w+Test\\.\\w+)`").matcher(policy).results().map(found -> found.group(1)).toList();
        assertTrue(named.size() > 20, named::toString);
        assertEquals(List.of(), named.stream().filter(test -> !existing.contains(test)).toList());
    }
}

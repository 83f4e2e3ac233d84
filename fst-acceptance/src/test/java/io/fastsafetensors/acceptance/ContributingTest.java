package io.fastsafetensors.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.Prerequisite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// Every command of CONTRIBUTING's table runs as printed, and tests that it names are there and run.
///
/// The one thing that they do not do again is to run all tests of all modules, which is what the build around this test
/// does.
@Timeout(value = 120, unit = TimeUnit.MINUTES)
class ContributingTest {
    private static final Pattern NAMED_TEST = Pattern.compile(" -Dtest=(\\w+)");
    private static final Pattern TESTS = Pattern.compile("<testsuite [^>]*\\btests=\"(\\d+)\"");

    private static List<String> commands;

    @BeforeAll
    static void read() throws IOException {
        commands = Markdown.read(Path.of("../CONTRIBUTING.md")).commandColumn();
        assertTrue(commands.size() >= 10, commands.toString());
    }

    private static boolean runsAllTests(String command) {
        return command.startsWith("mvn ") && command.endsWith(" verify") && !command.contains(" -pl ");
    }

    @Test
    void every_test_that_a_command_names_is_in_the_module_that_it_names() {
        List<String> naming = commands.stream().filter(command -> NAMED_TEST.matcher(command).find()).toList();
        assertTrue(naming.size() >= 2, commands.toString());
        assertEquals(List.of(), naming.stream().filter(command -> !namesATest(command)).toList());
    }

    private static boolean namesATest(String command) {
        Matcher test = NAMED_TEST.matcher(command);
        Matcher module = Pattern.compile(" -pl ([\\w-]+)").matcher(command);
        assertTrue(test.find() && module.find(), command);
        try (Stream<Path> sources = Files.walk(Path.of("..", module.group(1), "src/test/java"))) {
            return sources.anyMatch(source -> source.endsWith(test.group(1) + ".java"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    // A dozen builds: longer than all other tests together.
    @Test
    @Tag("slow")
    @EnabledIfSystemProperty(named = "fst.contributing", matches = "true")
    void every_command_works_as_printed() throws IOException {
        Prerequisite.BASH.require();
        Workspace workspace = Workspace.create(Path.of("target/contributing").toAbsolutePath());
        workspace.run("git init -q", workspace.root()).succeeded();
        for (String command : commands) {
            run(workspace, command);
        }
        AssertionError e = assertThrows(AssertionError.class, () -> run(workspace,
                "mvn -B -pl fst-core -am test -Dtest=NobodyWroteThisTest -Dsurefire.failIfNoSpecifiedTests=false"));
        assertTrue(e.getMessage().startsWith("ran no test of NobodyWroteThisTest: "), e.getMessage());
    }

    private static void run(Workspace workspace, String command) throws IOException {
        Instant start = Instant.now();
        String[] options = runsAllTests(command) ? new String[] {"-DskipTests"} : new String[0];
        workspace.run(command, workspace.root(), options).succeeded();
        Matcher test = NAMED_TEST.matcher(command);
        if (test.find()) {
            assertTrue(testsRun(workspace.root(), test.group(1), start) > 0,
                    "ran no test of " + test.group(1) + ": " + command);
        }
    }

    private static int testsRun(Path root, String name, Instant start) throws IOException {
        int tests = 0;
        try (Stream<Path> files = Files.find(root, 4,
                (file, attributes) -> file.getParent().endsWith("surefire-reports")
                        && file.getFileName().toString().matches("TEST-.*\\b" + name + "\\.xml")
                        && !attributes.lastModifiedTime().toInstant().isBefore(start))) {
            for (Path report : (Iterable<Path>) files::iterator) {
                Matcher count = TESTS.matcher(Files.readString(report));
                tests += count.find() ? Integer.parseInt(count.group(1)) : 0;
            }
        }
        return tests;
    }
}

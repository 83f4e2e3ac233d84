package io.fastsafetensors.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// The samples of docs/write-a-backend.md: as short as it says, and proven by the testkit after `mvn install` into an empty
/// repository; their program runs on the class path and as a module.
@Timeout(value = 60, unit = TimeUnit.MINUTES)
class SamplesTest {
    private static final Path SOURCES = Path.of("../examples-spi/src/main/java/acme");
    private static final Path GUIDE = Path.of("../docs/write-a-backend.md");
    private static final Pattern CLAIM = Pattern.compile("^\\| .* \\| `acme\\.(\\w+)` \\| (\\d+) \\| (\\d+) \\|",
            Pattern.MULTILINE);
    /// The longest that each may become.
    private static final Map<String, Integer> BOUNDS =
            Map.of("least", 120, "async", 250, "metered", 60, "board", 150, "box", 120);

    /// Lines that are neither blank nor a comment, imports included.
    private static long lines(String sample) throws IOException {
        long lines = 0;
        try (Stream<Path> files = Files.list(SOURCES.resolve(sample))) {
            for (Path file : files.toList()) {
                try (Stream<String> text = Files.lines(file)) {
                    lines += text.map(String::strip).filter(line -> !line.isEmpty() && !line.startsWith("//")).count();
                }
            }
        }
        return lines;
    }

    @Test
    void each_sample_has_the_lines_that_the_guide_says() throws IOException {
        List<String> named = new ArrayList<>();
        Matcher claims = CLAIM.matcher(Files.readString(GUIDE));
        while (claims.find()) {
            String sample = claims.group(1);
            named.add(sample);
            assertEquals(lines(sample), Long.parseLong(claims.group(2)), "lines of acme." + sample);
            assertEquals(BOUNDS.get(sample), Integer.valueOf(claims.group(3)), sample);
            assertTrue(lines(sample) <= BOUNDS.get(sample), "acme." + sample + " has " + lines(sample) + " lines");
        }
        assertEquals(BOUNDS.keySet().stream().sorted().toList(), named.stream().sorted().toList());
    }

    @Test
    void the_guide_shows_what_the_samples_are() throws IOException {
        for (String block : Markdown.read(GUIDE).blocks("java")) {
            String file = block.lines().findFirst().orElseThrow().strip().replace("// ", "");
            String text = Files.readString(SOURCES.resolve(file));
            String shown = block.lines().skip(1).map(String::strip).reduce("", (a, b) -> a + b);
            assertTrue(text.lines().map(String::strip).reduce("", (a, b) -> a + b).contains(shown), block);
        }
    }

    @Test
    @Tag("slow")
    void the_samples_are_built_proven_and_run_as_printed() throws IOException {
        Prerequisite.BASH.require();
        Workspace workspace = Workspace.create(Path.of("target/samples").toAbsolutePath());
        workspace.run("mvn -B -DskipTests install -pl fst-bom,fst-core,fst-testkit -am", workspace.root()).succeeded();
        Path project = workspace.root().resolve("examples-spi");
        SafetensorsFixture.create().tensor("embedding", DType.F32, Shape.of(2, 3), 1)
                .write(project.resolve("model.safetensors"));
        List<String> commands = Markdown.commands(Markdown.read(GUIDE).block("", "mvn -B verify"));
        assertEquals(3, commands.size(), commands::toString);
        List<String> shown = new ArrayList<>();
        for (String command : commands) {
            ChildProcess.Result result = workspace.run(command, project).succeeded();
            if (command.startsWith("java ")) {
                shown.add(result.out());
                assertEquals("", result.err(), command);
            } else {
                assertTrue(result.out().contains("Failures: 0, Errors: 0"), result::toString);
            }
        }
        String expected = """
                least: [embedding] on least:0
                metered: [embedding] on least:0
                async: [embedding] on async:0
                open buffers: 0
                rank 0 of 2 by board
                rank 1 of 2 by board
                """;
        assertEquals(List.of(expected, expected), shown);
    }
}

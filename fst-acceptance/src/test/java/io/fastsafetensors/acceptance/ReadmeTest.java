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
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// README's commands and the program of docs/getting-started.md are run as printed, on the class path and as a module, after `mvn install` into an empty
/// repository.
@Tag("slow")
@Timeout(value = 60, unit = TimeUnit.MINUTES)
class ReadmeTest {
    private static Markdown readme;
    private static Markdown guide;
    private static List<String> commandsHere;
    private static Workspace workspace;

    @TempDir
    private Path project;

    @BeforeAll
    static void install() throws IOException {
        Prerequisite.BASH.require();
        readme = Markdown.read(Path.of("../README.md"));
        guide = Markdown.read(Path.of("../docs/getting-started.md"));
        commandsHere = Markdown.commands(readme.block("", "mvn -B -DskipTests install"));
        workspace = Workspace.create(Path.of("target/readme").toAbsolutePath());
        // This build is what `mvn -B verify` does.
        for (String command : commandsHere) {
            if (!command.equals("mvn -B verify")) {
                workspace.run(command, workspace.root()).succeeded();
            }
        }
    }

    @Test
    void every_command_is_known_to_these_tests() throws IOException {
        assertEquals(List.of("./fst demo", "mvn -B verify", "mvn -B -DskipTests install"), commandsHere);
        for (Markdown document : List.of(readme, guide, Markdown.read(Path.of("../docs/in-a-program.md")))) {
            for (String block : document.blocks("")) {
                for (String command : Markdown.commands(block)) {
                    assertTrue(commandsHere.contains(command) || command.equals("mvn -B package")
                            || command.contains(" com.example.App ") || command.contains("/com.example.App ")
                            // DlpackPythonTest runs it.
                            || command.startsWith("python3 docs/examples/dlpack/"), command);
                }
            }
        }
    }

    @Test
    void what_is_installed_is_what_the_bom_names() throws IOException {
        Path installed = workspace.repository().resolve("io/fastsafetensors");
        String bom = Files.readString(Path.of("../fst-bom/pom.xml"));
        for (String artifact : List.of("fst-api", "fst-core", "fst-backend-cpu", "fst-testkit")) {
            assertTrue(bom.contains("<artifactId>" + artifact + "</artifactId>"), artifact);
            assertTrue(Files.isDirectory(installed.resolve(artifact)), artifact);
        }
        assertTrue(Files.isDirectory(installed.resolve("fst-bom")));
    }

    @Test
    void the_program_works_on_the_class_path() throws IOException {
        write("pom.xml", guide.block("xml", "<modelVersion>"));
        write("src/main/java/com/example/App.java", guide.block("java", "package com.example;"));
        assertRuns(guide.block("", " -cp "));
    }

    @Test
    void the_program_works_as_a_module() throws IOException {
        write("pom.xml", guide.block("xml", "<modelVersion>"));
        write("src/main/java/com/example/App.java", guide.block("java", "package com.example;"));
        write("src/main/java/module-info.java", guide.block("java", "module com.example.app"));
        assertRuns(guide.block("", " -m "));
    }

    @Test
    void readmes_dependencies_are_those_of_the_program_on_another_device() throws IOException {
        String program = guide.block("xml", "<modelVersion>");
        int start = program.indexOf("  <dependencyManagement>");
        int end = program.indexOf("  </dependencies>\n\n  <build>") + "  </dependencies>\n".length();
        write("pom.xml", program.substring(0, start) + readme.block("xml", "fst-bom") + program.substring(end));
        write("src/main/java/com/example/App.java", guide.block("java", "package com.example;"));
        workspace.run("mvn -B package", project).succeeded();
        for (String jar : List.of("fst-api", "fst-core", "fst-backend-cuda-nogds", "jcuda")) {
            try (Stream<Path> jars = Files.list(project.resolve("target/dependency"))) {
                assertTrue(jars.anyMatch(file -> file.getFileName().toString().startsWith(jar + "-")), jar);
            }
        }
    }

    private void write(String name, String text) throws IOException {
        Path file = project.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void assertRuns(String block) throws IOException {
        SafetensorsFixture.create().tensor("embedding", DType.F32, Shape.of(2, 3), 1)
                .write(project.resolve("model.safetensors"));
        ChildProcess.Result last = null;
        for (String command : Markdown.commands(block)) {
            last = workspace.run(command, project).succeeded();
        }
        assertTrue(last.out().contains("Tensor[embedding, F32 [2,3], cpu] at 0x"), last::toString);
        assertTrue(last.out().contains("LoadStats[files=1, tensors=1"), last::toString);
        assertEquals("", last.err(), "no warning");
    }
}

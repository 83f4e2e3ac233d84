package io.fastsafetensors.acceptance;

import io.fastsafetensors.test.ChildProcess;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// A copy of the source tree, and a local repository of its own that starts empty, in which commands run as a reader of the
/// documents would type them.
///
/// Commands are not changed. What they need here goes into `.mvn/maven.config`: the local repository; the default one as a
/// place to download from, so that nothing is fetched twice; and what is built already is not built again.
final class Workspace {
    /// What earlier runs left, which is large or speaks of other runs.
    private static final Set<String> LEFT_OUT =
            Set.of("surefire-reports", "djl", "cache", "runtime", "repository", ".git");

    private final Path root;
    private final Path repository;
    private final Path settings;

    private Workspace(Path folder) {
        this.root = folder.resolve("fst");
        this.repository = folder.resolve("repository");
        this.settings = folder.resolve("settings.xml");
    }

    /// Makes one.
    ///
    /// @param folder is deleted first
    static Workspace create(Path folder) throws IOException {
        delete(folder);
        Workspace workspace = new Workspace(Files.createDirectories(folder));
        copy(Path.of("..").toAbsolutePath().normalize(), workspace.root);
        Files.writeString(workspace.settings, """
                <settings>
                  <profiles>
                    <profile>
                      <id>downloaded</id>
                      <repositories>%1$s</repositories>
                      <pluginRepositories>%2$s</pluginRepositories>
                    </profile>
                  </profiles>
                  <activeProfiles><activeProfile>downloaded</activeProfile></activeProfiles>
                </settings>
                """.formatted(downloaded("repository"), downloaded("pluginRepository")));
        return workspace;
    }

    private static String downloaded(String element) {
        return "<%1$s><id>downloaded</id><url>%2$s</url><releases><checksumPolicy>ignore</checksumPolicy></releases><snapshots><enabled>false</enabled></snapshots></%1$s>"
                .formatted(element, Path.of(System.getProperty("fst.localRepository")).toUri());
    }

    /// The copy of the source tree.
    Path root() {
        return root;
    }

    /// Where artifacts are installed.
    Path repository() {
        return repository;
    }

    /// Runs a command to its end. Maven chooses its own JVM, whichever runs this test; `java` is this test's.
    ///
    /// @param directory where
    /// @param options added to those of Maven
    ChildProcess.Result run(String command, Path directory, String... options) throws IOException {
        Path config = Files.createDirectories(directory.resolve(".mvn")).resolve("maven.config");
        List<String> own = List.of("-gs", settings.toString(), "-Dmaven.repo.local=" + repository,
                "-Dmaven.compiler.useIncrementalCompilation=false");
        Files.write(config, Stream.concat(own.stream(), Stream.of(options)).toList(), StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING);
        ChildProcess process = ChildProcess.of("bash", "-c", command).directory(directory)
                .without("MAVEN_.*|MVN_.*|JAVA_HOME").limit(Duration.ofMinutes(20));
        if (command.startsWith("java ")) {
            process.environment("PATH", Path.of(System.getProperty("java.home"), "bin") + ":" + System.getenv("PATH"));
        }
        return process.run();
    }

    private static void copy(Path from, Path to) throws IOException {
        Path own = Path.of("target").toAbsolutePath();
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                if (folder.equals(own) || LEFT_OUT.contains(folder.getFileName().toString())
                        && (folder.getParent().endsWith("target") || folder.getParent().equals(from))) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                Files.createDirectories(to.resolve(from.relativize(folder)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (attributes.isRegularFile()) {
                    // With its time, by which the build knows what is up to date.
                    Files.copy(file, to.resolve(from.relativize(file)), StandardCopyOption.COPY_ATTRIBUTES);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, IOException failure) throws IOException {
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}

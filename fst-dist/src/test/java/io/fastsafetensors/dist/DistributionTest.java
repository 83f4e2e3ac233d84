package io.fastsafetensors.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The archives and the Debian package, unpacked and used as their readers do: nothing but results is printed.
class DistributionTest {
    private static final Path BUILT = Path.of(System.getProperty("fst.dist", "target"));
    private static final String VERSION = System.getProperty("fst.version", "");
    private static final long MOST_BYTES = 60_000_000;
    /// Java ends with an error where its cache of classes cannot be used.
    private static final Map<String, String> CACHE_REQUIRED = Map.of("FST_JAVA_OPTS", "-XX:AOTMode=on");

    @TempDir
    private Path directory;
    private Path model;

    @BeforeEach
    void write() throws IOException {
        Prerequisite.BASH.require();
        Path written = directory.resolve("model.safetensors");
        SafetensorsFixture.create().tensor("embedding", DType.F32, Shape.of(2, 3), 1).write(written);
        model = written;
    }

    private static Path archive(String classifier) {
        return BUILT.resolve("fst-" + VERSION + "-" + classifier + ".tar.gz").toAbsolutePath();
    }

    /// Unpacks as `tar` does for anybody.
    private Path unpacked(String classifier) {
        ChildProcess.of("tar", "xzf", archive(classifier), "-C", directory).run().succeeded();
        return directory.resolve("fst-" + VERSION);
    }

    private String fst(Path root, Map<String, String> environment, Object... args) {
        ChildProcess.Result result = ChildProcess.of(args).under(List.of(root.resolve("bin/fst").toString()))
                .directory(directory).without("FST_.*|JAVA_HOME|XDG_.*|HOME").environment(environment).run()
                .succeeded();
        assertEquals("", result.err(), result::toString);
        return result.out();
    }

    private void assertWorks(Path root, Map<String, String> environment) {
        assertEquals("fst " + VERSION + "\n", fst(root, environment, "version"));
        assertTrue(fst(root, environment, "ls", model).contains("embedding"));
        assertTrue(fst(root, environment, "load", model).contains("GB/s"));
        assertTrue(fst(root, environment, "verify", model).contains("OK"));
    }

    @Test
    void the_archive_with_a_runtime_is_small_and_works_at_once() throws IOException {
        assertTrue(Files.size(archive("linux-x86_64")) < MOST_BYTES, "bytes: " + Files.size(archive("linux-x86_64")));
        Path root = unpacked("linux-x86_64");
        assertWorks(root, CACHE_REQUIRED);
        assertTrue(fst(root, Map.of(), "demo", "--size", "16MiB", "--dir", directory).contains("Every byte is right"));
        assertTrue(fst(root, Map.of(), "doctor").contains("cpu"));
        fst(root, Map.of(), "convert", model, directory.resolve("out.safetensors"), "--dtype", "BF16");
    }

    @Test
    void it_works_after_it_was_moved_read_only_and_for_another_user() throws IOException {
        Path moved = Files.move(unpacked("linux-x86_64"), Files.createDirectories(directory.resolve("another place"))
                .resolve("of mine"));
        assertWorks(moved, CACHE_REQUIRED);
        ChildProcess.of("chmod", "-R", "a-w", moved).run().succeeded();
        ChildProcess.of("chmod", "a+rx", directory).run().succeeded();
        try {
            assertWorks(moved, CACHE_REQUIRED);
            ChildProcess.Result id = ChildProcess.of("id", "-u").run();
            if (id.out().strip().equals("0")) {
                ChildProcess.Result other = ChildProcess.of("setpriv", "--reuid=65534", "--regid=65534",
                        "--clear-groups", moved.resolve("bin/fst"), "ls", model).without("FST_.*|HOME").run()
                        .succeeded();
                assertTrue(other.out().contains("embedding"), other::toString);
                assertEquals("", other.err());
            }
        } finally {
            ChildProcess.of("chmod", "-R", "u+w", moved).run();
        }
    }

    @Test
    void modules_of_others_are_added_without_a_word_of_java() {
        assertWorks(unpacked("linux-x86_64"), Map.of("FST_MODULE_PATH", directory.toString()));
    }

    @Test
    void without_a_runtime_it_runs_on_a_jdk_and_keeps_its_cache_with_the_user() throws IOException {
        Path root = unpacked("without-java");
        Path caches = directory.resolve("caches");
        Map<String, String> environment =
                Map.of("FST_JAVA_HOME", System.getProperty("java.home"), "XDG_CACHE_HOME", caches.toString());
        assertWorks(root, environment);
        try (Stream<Path> files = Files.list(caches.resolve("fst"))) {
            assertTrue(files.anyMatch(file -> file.toString().endsWith(".aot")));
        }
        // For another place the cache is made once more.
        assertWorks(Files.move(root, directory.resolve("moved")), environment);
    }

    @Test
    void completions_are_those_of_the_command_and_every_command_has_a_manual_page() throws IOException {
        Path share = unpacked("linux-x86_64").resolve("share");
        for (Map.Entry<String, String> each : Map.of("bash", "bash-completion/completions/fst", "zsh",
                "zsh/site-functions/_fst", "fish", "fish/vendor_completions.d/fst.fish").entrySet()) {
            assertEquals(fst(share.getParent(), Map.of(), "completion", each.getKey()),
                    Files.readString(share.resolve(each.getValue())));
        }
        List<String> commands = fst(share.getParent(), Map.of(), "help").lines()
                .filter(line -> line.matches("  [a-z]+ +[A-Z].*")).map(line -> line.strip().split(" ", 2)[0]).toList();
        assertFalse(commands.isEmpty());
        for (String command : commands) {
            String page = Files.readString(share.resolve("man/man1/fst-" + command + ".1"));
            assertTrue(page.contains("--stacktrace".replace("-", "\\-")), command);
        }
        assertTrue(Files.readString(share.resolve("man/man1/fst.1")).contains(VERSION.replace("-", "\\-")));
        assertTrue(Files.size(share.resolve("doc/fst/LICENSE")) > 0
                && Files.size(share.resolve("doc/fst/third-party.md")) > 0);
    }

    @Test
    void the_debian_package_installs_a_command_that_works() {
        Path root = directory.resolve("root");
        Path deb = BUILT.resolve("fst_" + VERSION + "_amd64.deb").toAbsolutePath();
        ChildProcess.Result unpacked = ChildProcess.of("dpkg-deb", "-x", deb, root).run();
        assertEquals(0, unpacked.status(), unpacked::toString);
        assertWorks(root.resolve("usr"), CACHE_REQUIRED);
        assertTrue(Files.exists(root.resolve("usr/share/zsh/vendor-completions/_fst")));
        assertEquals("fst", ChildProcess.of("dpkg-deb", "-f", deb, "Package").run().succeeded().out().strip());
    }
}

package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.Prerequisite;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The launcher on a made-up installation, with a JDK that only says how it was called.
class LauncherTest {
    private static final Path LAUNCHER = Path.of("..", "fst");

    @TempDir
    private Path directory;
    private Path root;
    private Path jdk;

    @BeforeEach
    void install() throws Exception {
        Prerequisite.BASH.require();
        root = Files.createDirectories(directory.resolve("a place with spaces"));
        Files.copy(LAUNCHER, root.resolve("fst"));
        Files.setPosixFilePermissions(root.resolve("fst"), PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.createFile(Files.createDirectories(root.resolve("fst-cli/target/lib")).resolve("fst-cli.jar"));
        jdk = jdk("jdk", "25.0.9");
    }

    @Test
    void it_runs_the_main_module_with_the_users_options_and_arguments() throws Exception {
        List<String> call = run(0, Map.of("FST_JAVA_OPTS", "-Xmx64m -Dx=y"), "load", "a b", "*");
        assertEquals(List.of("-Xmx64m", "-Dx=y", "-m", "io.fastsafetensors.cli/io.fastsafetensors.cli.Main", "load",
                "a b", "*"), call.subList(call.size() - 7, call.size()));
        assertEquals(root.toRealPath() + "/fst-cli/target/lib", call.get(call.indexOf("-p") + 1));
        assertTrue(call.contains("--enable-native-access=io.fastsafetensors.api"), call.toString());
    }

    @Test
    void short_commands_get_the_quick_compiler_and_long_ones_the_good_one() throws Exception {
        assertTrue(run(0, Map.of(), "ls", "x").contains("-XX:TieredStopAtLevel=1"));
        assertTrue(run(0, Map.of(), "verify", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "ls", "--sha256", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "load", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "demo").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "convert", "x", "y").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "diff", "x", "y").contains("-XX:TieredStopAtLevel=1"));
    }

    @Test
    void it_finds_its_place_through_symbolic_links() throws Exception {
        Path link = Files.createSymbolicLink(directory.resolve("link"), root.resolve("fst"));
        Path relative = Files.createSymbolicLink(directory.resolve("relative"), Path.of("link"));
        assertEquals(run(0, Map.of(), "ls"), run(0, relative, Map.of(), "ls"));
        assertEquals(run(0, Map.of(), "ls"), run(0, link, Map.of(), "ls"));
    }

    @Test
    void modules_of_your_own_join_the_path() throws Exception {
        List<String> call = run(0, Map.of("FST_MODULE_PATH", "/mine"), "ls");
        assertTrue(call.get(call.indexOf("-p") + 1).endsWith("/lib:/mine"), call.toString());
    }

    @Test
    void a_java_home_that_is_too_old_is_passed_over_or_refused_in_a_line() throws Exception {
        Path old = jdk("old", "17.0.15");
        List<String> message = run(1, Map.of("FST_JAVA_HOME", old.toString()), "ls");
        assertEquals(List.of("fst: FST_JAVA_HOME=" + old + " is no JDK 25 or newer"), message);
        assertEquals(1, run(1, Map.of("FST_JAVA_HOME", "/nowhere"), "ls").size());
        Path newer = jdk("newer", "26-ea");
        assertFalse(run(0, Map.of("FST_JAVA_HOME", newer.toString()), "ls").isEmpty());
    }

    @Test
    void a_cache_that_cannot_be_made_is_done_without_and_not_tried_again() throws Exception {
        assertFalse(run(0, Map.of(), "ls").toString().contains("-XX:AOTCache"));
        assertEquals(0, Files.size(root.resolve("fst-cli/target/fst-25.0.9.aot")));
        Files.writeString(root.resolve("fst-cli/target/fst-25.0.9.aot"), "made");
        assertTrue(run(0, Map.of(), "ls").toString().contains("-XX:AOTCache="));
    }

    @Test
    void a_cache_of_another_place_or_module_path_is_not_used() throws Exception {
        run(0, Map.of(), "ls");
        Files.writeString(root.resolve("fst-cli/target/fst-25.0.9.aot"), "made");
        assertFalse(run(0, Map.of("FST_MODULE_PATH", "/mine"), "ls").toString().contains("-XX:AOTCache"));
        root = Files.move(root, directory.resolve("another place"));
        List<String> moved = run(0, Map.of(), "ls");
        assertFalse(moved.toString().contains("-XX:AOTCache="), "a cache made elsewhere: " + moved);
        assertEquals(0, Files.size(root.resolve("fst-cli/target/fst-25.0.9.aot")), "made again, by a JDK that cannot");
    }

    @Test
    void unpacked_from_a_bundle_it_runs_on_the_runtime_and_the_jars_beside_it() throws Exception {
        Path runtime = jdk("runtime", "25.0.3");
        Files.move(runtime, root.resolve("runtime"));
        Files.move(root.resolve("fst-cli/target/lib"), root.resolve("lib"));
        Path caches = Files.createDirectory(directory.resolve("caches"));
        List<String> call = run(0, Map.of("FST_JAVA_HOME", "", "FST_CACHE_DIR", caches.toString()), "ls");
        assertEquals(root.toRealPath() + "/lib", call.get(call.indexOf("-p") + 1));
        assertTrue(Files.exists(caches.resolve("fst-25.0.3.aot")), "the cache is made for the runtime, where it may");
    }

    private Path jdk(String name, String version) throws Exception {
        Path home = directory.resolve(name);
        Files.createDirectories(home.resolve("bin"));
        Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        Path java = Files.writeString(home.resolve("bin/java"), """
                #!/bin/bash
                [[ "$*" == *AOTCacheOutput* ]] && exit 1
                printf '%s\\n' "$@"
                """);
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
        return home;
    }

    private List<String> run(int status, Map<String, String> environment, String... args) {
        return run(status, root.resolve("fst"), environment, args);
    }

    private List<String> run(int status, Path launcher, Map<String, String> environment, String... args) {
        return ChildProcess.of((Object[]) args).under(List.of(launcher.toString())).directory(directory)
                .without("FST_.*").environment("FST_JAVA_HOME", jdk).environment(environment).run().withStatus(status)
                .lines();
    }
}

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
import java.util.stream.Stream;
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
        Path lib = Files.createDirectories(root.resolve("fst-cli/target/lib"));
        Files.createDirectories(root.resolve("fst-cli/src/main"));
        for (String pom : List.of("pom.xml", "fst-cli/pom.xml")) {
            Files.createFile(root.resolve(pom));
        }
        for (String jar : List.of("fst-api.jar", "fst-cli.jar", "jcuda.jar", "jcuda-natives.jar")) {
            Files.createFile(lib.resolve(jar));
        }
        jdk = jdk("jdk", "25.0.9");
    }

    @Test
    void it_runs_the_command_with_the_users_options_and_arguments() throws Exception {
        List<String> call = run(0, Map.of("FST_JAVA_OPTS", "-Xmx64m -Dx=y"), "load", "a b", "*");
        assertEquals(List.of("-Xmx64m", "-Dx=y", "io.fastsafetensors.cli.Main", "load", "a b", "*"),
                call.subList(call.size() - 6, call.size()));
        assertTrue(call.contains("--enable-native-access=ALL-UNNAMED"), call.toString());
    }

    @Test
    void java_says_nothing_of_caches_and_keeps_its_heap_below_32_gib() throws Exception {
        assertTrue(run(0, Map.of(), "ls").contains("-Xlog:all=error,aot*=off,cds*=off:stderr"));
        assertTrue(run(0, Map.of(), "ls").contains("-XX:MaxRAM=64g"));
        // Newer ones say that the option will go.
        Path newer = jdk("newer", "26-ea");
        assertFalse(run(0, Map.of("FST_JAVA_HOME", newer.toString()), "ls").contains("-XX:MaxRAM=64g"));
    }

    @Test
    void the_class_path_is_the_same_in_every_locale() throws Exception {
        String lib = root.toRealPath() + "/fst-cli/target/lib/";
        for (String locale : List.of("C", "C.UTF-8", "en_US.UTF-8")) {
            assertEquals(lib + "fst-api.jar:" + lib + "fst-cli.jar:" + lib + "jcuda-natives.jar:" + lib + "jcuda.jar",
                    classPath(run(0, Map.of("LC_ALL", locale), "ls")));
        }
    }

    private static String classPath(List<String> call) {
        return call.get(call.indexOf("-cp") + 1);
    }

    @Test
    void short_commands_get_the_quick_compiler_and_long_ones_the_good_one() throws Exception {
        assertTrue(run(0, Map.of(), "ls", "x").contains("-XX:TieredStopAtLevel=1"));
        assertTrue(run(0, Map.of(), "verify", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "ls", "--sha256", "x").contains("-XX:TieredStopAtLevel=1"));
        assertTrue(run(0, Map.of(), "load", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "load", "--dtype", "BF16", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "load", "--check-digests", "x").contains("-XX:TieredStopAtLevel=1"));
        assertFalse(run(0, Map.of(), "demo").contains("-XX:TieredStopAtLevel=1"));
        assertTrue(run(0, Map.of(), "bench", "x").contains("-XX:TieredStopAtLevel=1"));
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
        assertEquals(root.toRealPath() + "/fst-cli/target/lib:/mine", call.get(call.indexOf("-p") + 1));
        assertEquals(List.of("-m", "io.fastsafetensors.cli/io.fastsafetensors.cli.Main", "ls"),
                call.subList(call.size() - 3, call.size()));
        assertTrue(call.contains("--enable-native-access=io.fastsafetensors.api,jcuda"), call.toString());
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
        Files.move(jdk("runtime", "25.0.3"), root.resolve("runtime"));
        Files.move(root.resolve("fst-cli/target/lib"), root.resolve("lib"));
        Files.delete(root.resolve("fst-cli/pom.xml"));
        Path caches = Files.createDirectory(directory.resolve("caches"));
        List<String> call = run(0, Map.of("FST_JAVA_HOME", "", "FST_CACHE_DIR", caches.toString()), "ls");
        assertTrue(classPath(call).startsWith(root.toRealPath() + "/lib/fst-api.jar:"), call.toString());
        assertTrue(Files.exists(caches.resolve("fst-25.0.3.aot")), "the cache is made for the runtime, where it may");
    }

    private Path installation() throws Exception {
        Path prefix = Files.createDirectories(directory.resolve("prefix"));
        Path home = Files.createDirectories(prefix.resolve("lib/fst"));
        Files.move(root.resolve("fst-cli/target/lib"), home.resolve("lib"));
        return Files.move(root.resolve("fst"), Files.createDirectory(prefix.resolve("bin")).resolve("fst"));
    }

    @Test
    void installed_it_runs_on_the_cache_that_came_with_its_runtime() throws Exception {
        Path launcher = installation();
        Path home = directory.resolve("prefix/lib/fst").toRealPath();
        Files.move(jdk("runtime", "25.0.3"), home.resolve("runtime"));
        Files.writeString(home.resolve("fst.aot"), "made");
        List<String> call = run(0, launcher, Map.of("FST_JAVA_HOME", ""), "ls");
        assertTrue(call.contains("-XX:AOTCache=" + home + "/fst.aot"), call.toString());
        assertTrue(classPath(call).startsWith(home + "/lib/fst-api.jar:"), call.toString());
        assertFalse(run(0, launcher, Map.of(), "ls").toString().contains("fst.aot"), "another JDK's cache");
    }

    @Test
    void installed_without_a_runtime_it_keeps_the_cache_with_the_user() throws Exception {
        Path launcher = installation();
        Path caches = directory.resolve("user");
        assertEquals(0, run(0, launcher, Map.of("XDG_CACHE_HOME", caches.toString()), "ls").stream()
                .filter(argument -> argument.contains("AOT")).count());
        assertTrue(Files.exists(caches.resolve("fst/fst-25.0.9.aot")));
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(caches.resolve("fst"))));
        try (Stream<Path> files = Files.list(directory.resolve("prefix/lib/fst"))) {
            assertEquals(List.of("lib"), files.map(file -> file.getFileName().toString()).toList());
        }
        Files.writeString(caches.resolve("fst/fst-25.0.9.aot"), "made");
        assertTrue(run(0, launcher, Map.of("XDG_CACHE_HOME", caches.toString()), "ls")
                .contains("-XX:AOTCache=" + caches + "/fst/fst-25.0.9.aot"));
        // Reproducible builds of two versions have jars of any time.
        Files.writeString(directory.resolve("prefix/lib/fst/build"), "0.2.1\n");
        assertFalse(
                run(0, launcher, Map.of("XDG_CACHE_HOME", caches.toString()), "ls").toString().contains("AOTCache="));
    }

    @Test
    void installed_where_nothing_can_be_written_it_does_without_a_cache() throws Exception {
        Path launcher = installation();
        List<String> call = run(0, launcher, Map.of("HOME", "/proc/none", "XDG_CACHE_HOME", ""), "ls");
        assertFalse(call.toString().contains("AOT"), call.toString());
    }

    @Test
    void an_incomplete_installation_is_told_in_a_line() throws Exception {
        Path launcher = installation();
        Path jar = directory.resolve("prefix/lib/fst").toRealPath().resolve("lib/fst-cli.jar");
        Files.delete(jar);
        assertEquals(List.of("fst: the installation is not complete: there is no " + jar),
                run(1, launcher, Map.of(), "ls"));
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

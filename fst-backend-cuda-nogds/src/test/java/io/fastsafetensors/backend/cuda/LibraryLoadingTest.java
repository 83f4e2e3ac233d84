package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.fastsafetensors.backend.cuda.child.JCudaProgram;
import io.fastsafetensors.backend.cuda.child.ProbeProgram;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.test.CBuild;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.ChildProcess.Result;
import io.fastsafetensors.test.gpu.Face;
import io.fastsafetensors.test.gpu.FakeGpu;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/// The search for the native libraries, in processes of their own: with a file in the temporary directory where JCuda
/// would look for its library, which somebody else has put there; and without a driver.
@EnabledIfSystemProperty(named = "os.name", matches = "Linux")
@EnabledIfSystemProperty(named = "os.arch", matches = "amd64")
class LibraryLoadingTest {
    private static final String PLANTED = "libJCudaDriver-12.6.0-linux-x86_64.so";
    private static final String CLASS_PATH = System.getProperty("java.class.path");

    @TempDir
    Path folder;
    private Path temporary;
    private Path driver;
    private Path executed;

    @BeforeEach
    void plant() throws IOException {
        temporary = Files.createDirectory(folder.resolve("tmp"));
        driver = Files.createDirectory(folder.resolve("driver"));
        executed = folder.resolve("executed");
    }

    private void plantLibrary() {
        FakeGpu.build(driver, Face.CUDA);
        CBuild.sharedLibrary(PLANTED).source("planted.c", """
                #include <fcntl.h>
                #include <unistd.h>
                __attribute__((constructor)) static void run(void) {
                    close(open("%s", O_CREAT | O_WRONLY, 0600));
                }
                """.formatted(executed)).into(temporary);
    }

    /// @param libraries the directory where the system's loader looks first, or the empty string
    private Result run(String libraries, List<String> arguments) {
        List<String> all = new ArrayList<>(List.of("-Djava.io.tmpdir=" + temporary, "-Xmx64m"));
        all.addAll(arguments);
        ChildProcess child = ChildProcess.java(all);
        return (libraries.isEmpty() ? child : child.environment("LD_LIBRARY_PATH", libraries)).run();
    }

    private static List<String> onClassPath(Class<?> program) {
        return List.of("--enable-native-access=ALL-UNNAMED", "-cp", CLASS_PATH, program.getName());
    }

    /// The program alone on the class path; the backend and what it requires as modules.
    private static List<String> onModulePath(Class<?> program) {
        Map<Boolean, String> paths = Arrays.stream(CLASS_PATH.split(File.pathSeparator)).collect(
                Collectors.partitioningBy(LibraryLoadingTest::isModule, Collectors.joining(File.pathSeparator)));
        return List.of("--enable-native-access=jcuda,io.fastsafetensors.api", "-p", paths.get(true), "--add-modules",
                "io.fastsafetensors.backend.cuda", "-cp", paths.get(false), program.getName());
    }

    /// A jar, or what becomes one.
    private static boolean isModule(String entry) {
        Path path = Path.of(entry);
        return Stream.of("jcuda", "fst-api", "fst-gpu-common", "fst-backend-cuda-nogds").anyMatch(
                name -> path.getFileName().toString().startsWith(name) || path.endsWith(name + "/target/classes"));
    }

    @Test
    void a_planted_library_is_never_loaded_from_the_class_path() throws Exception {
        plantLibrary();
        assertPlantedIsLeftAlone(run(driver.toString(), onClassPath(ProbeProgram.class)));
        // What it is about: left alone, JCuda does load it.
        run(driver.toString(), onClassPath(JCudaProgram.class));
        assertTrue(Files.exists(executed), "the planted library is none");
    }

    @Test
    void a_planted_library_is_never_loaded_from_the_module_path() throws Exception {
        plantLibrary();
        assertPlantedIsLeftAlone(run(driver.toString(), onModulePath(ProbeProgram.class)));
    }

    private void assertPlantedIsLeftAlone(Result child) throws IOException {
        assertTrue(child.out().startsWith("available: "), child::toString);
        assertEquals("", child.err());
        assertEquals(0, child.status());
        assertFalse(Files.exists(executed), "the planted library was loaded");
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(List.of(PLANTED), left.map(p -> p.getFileName().toString()).toList());
        }
    }

    @Test
    void without_a_driver_the_probe_says_so_and_nothing_is_printed() throws Exception {
        assumeFalse(NativeLibrary.describe("libcuda.so.1").endsWith("is installed"), "this machine has a driver");
        Result child = run("", onClassPath(ProbeProgram.class));
        assertEquals("unavailable: no NVIDIA driver: native library not found; tried libcuda.so.1; install the driver,"
                + " of release 525 (CUDA 12.0) or newer\n", child.out());
        assertEquals("", child.err());
        assertEquals(0, child.status());
    }

    @Test
    void without_jcudas_library_the_probe_says_which_jar_is_missing() throws Exception {
        plantLibrary();
        Result child = run(driver.toString(), onClassPathWithout("jcuda-natives", ""));
        assertTrue(child.out().startsWith("unavailable: no jar has lib/" + PLANTED), child::toString);
        assertEquals("", child.err());
        assertFalse(Files.exists(executed), "the planted library was loaded");
    }

    @Test
    void a_library_of_jcuda_that_cannot_be_loaded_is_told_in_the_loaders_words() throws Exception {
        plantLibrary();
        Path classes = Files.createDirectories(folder.resolve("classes/lib")).getParent();
        Files.writeString(classes.resolve("lib").resolve(PLANTED), "not a library");
        Result child = run(driver.toString(), onClassPathWithout("jcuda-natives", classes.toString()));
        assertTrue(child.out().startsWith("unavailable: JCuda's library " + PLANTED + " cannot be loaded (")
                && child.out().contains("file too short"), child::toString);
        assertEquals(1, child.out().lines().count(), child::toString);
        assertFalse(Files.exists(executed), "the planted library was loaded");
    }

    private static List<String> onClassPathWithout(String jar, String instead) {
        String rest = Arrays.stream(CLASS_PATH.split(File.pathSeparator)).filter(entry -> !entry.contains(jar))
                .collect(Collectors.joining(File.pathSeparator));
        return List.of("--enable-native-access=ALL-UNNAMED", "-cp", rest + File.pathSeparator + instead,
                ProbeProgram.class.getName());
    }
}

package io.fastsafetensors.backend.rocm.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.test.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jocl.LibUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// The effects of a process's first probe, seen from outside: all that it prints, native code included,
/// is the one line of [ProbeProgram].
@Timeout(600)
@EnabledOnOs(OS.LINUX)
class FreshJvmTest {
    private static final String NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED";

    @TempDir
    Path directory;

    /// Runs the program with a temporary directory of its own and returns its output.
    private String probe(Map<String, String> environment, String... options) {
        ChildProcess.Result result = ChildProcess.java(ProbeProgram.class)
                .withoutOption(NATIVE_ACCESS).options("-Xmx64m", "-Djava.io.tmpdir=" + directory).options(options)
                .environment(environment).run().succeeded();
        assertEquals(1, result.lines().size(), result::toString);
        return result.output().strip();
    }

    private List<Path> left() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }

    @Test
    void a_library_planted_in_the_temporary_directory_is_not_loaded() throws Exception {
        Probe probe = OpenClDevice.require();
        Path planted = directory
                .resolve(LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName("JOCL_2_0_6")));
        Files.writeString(planted, "no library: loading this fails");
        int devices = ((Probe.Available) probe).devices().size();
        assertEquals("available " + devices, probe(Map.of(), NATIVE_ACCESS));
        assertEquals(List.of(planted), left(), "files after the JVM ended");
    }

    @Test
    void without_a_platform_the_reason_says_so() throws Exception {
        OpenClDevice.require();
        String output = probe(Map.of("OCL_ICD_VENDORS", directory.resolve("none").toString()), NATIVE_ACCESS);
        assertTrue(output.startsWith("unavailable ") && output.contains("finds no platform"), output);
    }

    @Test
    void without_the_library_the_reason_names_what_was_tried() throws Exception {
        for (String name : List.of("libOpenCL.so", "libOpenCL.so.1")) {
            Files.writeString(directory.resolve(name), "no library: loading this fails");
        }
        String output = probe(Map.of("LD_LIBRARY_PATH", directory.toString()), NATIVE_ACCESS);
        assertTrue(output.startsWith("unavailable ") && output.contains("libOpenCL.so.1"), output);
    }

    @Test
    void without_native_access_the_reason_names_the_option() throws Exception {
        String output = probe(Map.of());
        assertTrue(output.startsWith("unavailable ") && output.contains("--enable-native-access"), output);
    }
}

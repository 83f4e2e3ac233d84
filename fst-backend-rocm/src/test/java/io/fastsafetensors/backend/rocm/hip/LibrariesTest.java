package io.fastsafetensors.backend.rocm.hip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.CBuild;
import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.ChildProcess.Result;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.test.gpu.Face;
import io.fastsafetensors.test.gpu.FakeGpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Other HIP libraries than the one of this process, each in a process of its own: older versions, none, the real one.
@EnabledOnOs(OS.LINUX)
@Timeout(600)
class LibrariesTest {
    @TempDir
    static Path builds;
    @TempDir
    Path folder;

    private static Result run(Map<String, String> environment, String... arguments) {
        return ChildProcess.java(HipProgram.class, (Object[]) arguments).options("-Xmx64m")
                .without("LD_.*|FAKE_GPU_.*|HIP_.*|ROC.*").environment(Map.of("FAKE_GPU_DEVICES", "2"))
                .environment(environment).run().succeeded();
    }

    /// `LD_LIBRARY_PATH` with these libraries, each built once.
    private static String path(Face... faces) throws IOException {
        List<String> folders = new ArrayList<>();
        for (Face face : faces) {
            folders.add(built(face).toString());
        }
        return String.join(":", folders);
    }

    private static Path built(Face face) throws IOException {
        Path place = builds.resolve(face.name());
        FakeGpu.build(Files.createDirectories(place), face);
        return place;
    }

    @Test
    void rocm5_keeps_its_compiler_and_its_old_structure() throws Exception {
        assertWorks("versions: {hip=5.2.0, hiprtc=libamdhip64.so.5, library=libamdhip64.so.5}",
                run(Map.of("LD_LIBRARY_PATH", path(Face.HIP_5))));
    }

    @Test
    void rocm6_has_its_compiler_apart_and_a_new_structure() throws Exception {
        assertWorks("versions: {hip=6.2.0, hiprtc=libhiprtc.so.6, library=libamdhip64.so.6}",
                run(Map.of("LD_LIBRARY_PATH", path(Face.HIP_6))));
    }

    @Test
    void the_newest_of_several_is_taken() throws Exception {
        assertWorks("versions: {hip=7.2.0, hiprtc=libhiprtc.so.7, library=libamdhip64.so.7}",
                run(Map.of("LD_LIBRARY_PATH", path(Face.CUDA, Face.HIP_5, Face.HIP_6, Face.HIP_7))));
    }

    @Test
    void an_installation_that_the_loader_does_not_know_is_found_by_its_folder() throws Exception {
        Path library = Files.createDirectories(folder.resolve("rocm/lib"));
        for (String file : List.of("libamdhip64.so.6", "libhiprtc.so.6")) {
            Files.copy(built(Face.HIP_6).resolve(file), library.resolve(file));
        }
        Files.createSymbolicLink(library.resolve("libamdhip64.so"), Path.of("libamdhip64.so.6"));
        // The fake hiprtc needs the runtime, which is there already.
        assertWorks("versions: {hip=6.2.0, hiprtc=" + library + "/libhiprtc.so.6, library=" + library
                + "/libamdhip64.so}", run(hiding(Map.of("ROCM_PATH", library.getParent().toString()))));
    }

    @Test
    void without_its_compiler_the_rest_works() throws Exception {
        Files.copy(built(Face.HIP_6).resolve("libamdhip64.so.6"), folder.resolve("libamdhip64.so.6"));
        Result outcome = run(Map.of("LD_LIBRARY_PATH", folder.toString()));
        assertEquals("", outcome.err());
        assertTrue(outcome.out().contains("rocm:0: Fake GPU 0, 8589934592 bytes, gfx90a:sramecc+:xnack-, kernels need"
                + " hiprtc, which this ROCm installation has not"), outcome.out());
    }

    @Test
    void a_call_that_fails_in_the_probe_is_its_reason() throws Exception {
        for (String call : List.of("hipGetDeviceCount", "hipRuntimeGetVersion", "hipDeviceGetName",
                "hipDeviceGetPCIBusId", "hipDeviceTotalMem")) {
            Result outcome = run(
                    Map.of("LD_LIBRARY_PATH", path(Face.HIP_7), "FAKE_GPU_FAIL", call + ":1:999"));
            assertEquals("unavailable: libamdhip64.so.7: " + call
                    + " failed with 999 (hipErrorUnknown: unknown error) [backend hip]", outcome.out().strip());
            assertEquals("", outcome.err());
        }
    }

    @Test
    void hidden_devices_are_named() throws Exception {
        Result outcome = run(Map.of("LD_LIBRARY_PATH", path(Face.HIP_7), "FAKE_GPU_DEVICES", "0",
                "HIP_VISIBLE_DEVICES", "7"));
        assertEquals("unavailable: libamdhip64.so.7: hipGetDeviceCount failed with 100 (hipErrorNoDevice: no"
                + " ROCm-capable device is detected; no AMD device: HIP_VISIBLE_DEVICES=7 may hide it) [backend hip]",
                outcome.out().strip());
    }

    @Test
    void hip_over_the_cuda_driver_works() throws Exception {
        Path ptx = Files.writeString(folder.resolve("kernels.ptx"), "// what a fake driver takes");
        Result outcome =
                run(Map.of("LD_LIBRARY_PATH", path(Face.HIP_OVER_CUDA, Face.CUDA), "FST_HIP_PTX", ptx.toString()));
        assertEquals("", outcome.err());
        assertTrue(outcome.out().contains("rocm:1: Fake GPU 1, 8589934592 bytes, sm_90, 1.5 in F16"), outcome.out());
    }

    @Test
    void without_the_library_the_reason_has_its_names() throws Exception {
        Result outcome = run(hiding(Map.of()));
        assertEquals("", outcome.err());
        for (String name : List.of("unavailable: ", "libamdhip64.so.7, libamdhip64.so.6, libamdhip64.so.5,"
                + " libamdhip64.so, /opt/rocm/lib/libamdhip64.so", "install")) {
            assertTrue(outcome.out().contains(name), outcome.out());
        }
    }

    @Test
    void the_real_library_without_a_device_says_so() throws Exception {
        requireReal();
        Result outcome = run(Map.of());
        assertEquals("", outcome.err());
        for (String part : List.of("unavailable: ", "hipGetDeviceCount failed with 100 (hipErrorNoDevice",
                "no AMD device")) {
            assertTrue(outcome.out().contains(part), outcome.out());
        }
    }

    @Test
    @Tag("slow")
    void the_real_compiler_takes_the_shared_source() throws Exception {
        requireReal();
        Result outcome = run(Map.of(), "gfx90a:sramecc+:xnack-", "gfx1030");
        assertEquals("gfx90a:sramecc+:xnack-: ELF\ngfx1030: ELF\n", outcome.out());
    }

    private static void assertWorks(String versions, Result outcome) {
        assertEquals("", outcome.err());
        assertEquals(versions + "\n"
                + "rocm:0: Fake GPU 0, 8589934592 bytes, gfx90a:sramecc+:xnack-, 1.5 in F16\n"
                + "rocm:1: Fake GPU 1, 8589934592 bytes, gfx90a:sramecc+:xnack-, 1.5 in F16\n", outcome.out());
    }

    /// The real library, and no device.
    private static void requireReal() {
        if (Files.exists(Path.of("/dev/kfd"))) {
            Assumptions.abort("this machine may have an AMD GPU (/dev/kfd): the case without one is not tested");
        }
        Prerequisite.HIP.require();
    }

    /// An environment in which the system's loader finds no HIP.
    private Map<String, String> hiding(Map<String, String> more) {
        Path shim = CBuild.sharedLibrary("no_hip.so").resources(LibrariesTest.class, "no_hip.c").into(folder);
        Map<String, String> environment = new HashMap<>(more);
        environment.put("LD_PRELOAD", shim.toString());
        return environment;
    }
}

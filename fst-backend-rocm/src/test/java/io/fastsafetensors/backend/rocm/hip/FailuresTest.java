package io.fastsafetensors.backend.rocm.hip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.rocm.hip.ffm.HipFfm;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.test.gpu.FakeGpu;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// Each call of HIP and hiprtc fails in turn.
@EnabledOnOs(OS.LINUX)
@Timeout(600)
class FailuresTest {
    private static final int UNKNOWN = 999;
    private static final int BYTES = 1 << 12;
    /// All that the backend calls when it is open.
    private static final List<String> CALLS = List.of("hipGetDevice", "hipSetDevice", "hipMemGetInfo", "hipMalloc",
            "hipFree", "hipHostMalloc", "hipHostFree", "hipHostRegister", "hipHostUnregister", "hipMemcpyAsync",
            "hipStreamCreateWithFlags", "hipStreamDestroy", "hipStreamSynchronize", "hipStreamWaitEvent",
            "hipEventCreateWithFlags", "hipEventDestroy", "hipEventRecord", "hipEventQuery", "hipEventSynchronize",
            "hipModuleLoadData", "hipModuleUnload", "hipModuleGetFunction", "hipModuleLaunchKernel",
            "hiprtcCreateProgram", "hiprtcDestroyProgram", "hiprtcCompileProgram", "hiprtcGetCodeSize",
            "hiprtcGetCode");

    private final FakeGpu gpu = FakeHip.gpu();

    @AfterEach
    void reset() {
        gpu.reset();
    }

    @Test
    void every_call_that_fails_is_said_and_leaves_nothing_behind() {
        gpu.reset();
        // The second device, so that the thread's own must be put back.
        Device device = new Device("rocm", 1);
        scenario(device);
        long calls = gpu.calls("*");
        long before = gpu.count("all");
        TreeSet<String> failed = new TreeSet<>();
        for (int nth = 1; nth <= calls; nth++) {
            gpu.reset();
            // Where putting it back was what failed.
            new HipFfm().hipSetDevice(0);
            gpu.reset();
            gpu.fail("*", nth, UNKNOWN);
            List<BackendException> thrown = scenario(device);
            String where = "call " + nth + " of " + calls;
            assertTrue(!thrown.isEmpty(), where + " failed, and nobody was told");
            String message = thrown.getFirst().getMessage();
            assertTrue(message.matches("lib(amdhip64|hiprtc)\\.so\\.7: hip\\w+(\\(\\w+\\))? failed with 999 .*"),
                    where + ": " + message);
            assertEquals("hip", thrown.getFirst().where().backend(), where);
            assertEquals(before, gpu.count("all"), where + " left something behind: " + message);
            failed.add(message.replaceAll(".*: (hip\\w+).* failed with 999.*", "$1"));
        }
        assertEquals(new TreeSet<>(CALLS), failed);
    }

    @Test
    void a_code_object_for_another_device_is_refused() {
        gpu.reset();
        long before = gpu.count("all");
        gpu.fail("hipModuleLoadData", 1, 209);
        List<BackendException> thrown = scenario(FakeHip.DEVICE);
        assertTrue(thrown.getFirst().getMessage().contains("hipModuleLoadData failed with 209 (hipErrorNoBinaryForGpu"),
                thrown.getFirst().getMessage());
        assertEquals(before, gpu.count("all"));
    }

    @Test
    void what_the_compiler_says_is_in_the_message() {
        gpu.reset();
        gpu.fail("hiprtcCompileProgram", 1, 6);
        String message = scenario(FakeHip.DEVICE).getFirst().getMessage();
        assertTrue(message.contains("HIPRTC_ERROR_COMPILATION for gfx90a:sramecc+:xnack-: fst_kernels:1:1: error: told"
                + " to fail"), message);
    }

    /// Everything that the backend does, once; stops at the first failure, and closes what there is.
    private static List<BackendException> scenario(Device device) {
        List<BackendException> thrown = new ArrayList<>();
        try (Backend backend = FakeHip.provider().open(device,
                BackendOptions.defaults().withProperties(Map.of(HipOptions.KERNEL_CACHE, "off")));
                Arena arena = Arena.ofShared()) {
            work(backend, arena);
        } catch (BackendException e) {
            thrown.add(e);
        }
        return thrown;
    }

    private static void work(Backend backend, Arena arena) {
        backend.memory();
        try (DeviceBuffer buffer = backend.allocate(BYTES, 4096);
                DeviceBuffer converted = backend.allocate(BYTES / 2, 256);
                StagingBuffer staging = backend.allocateStaging(BYTES);
                HostRegistration _ = backend.registerHost(arena.allocate(BYTES, 4096), false).orElseThrow();
                CopyStream stream = backend.openCopyStream();
                CopyStream other = backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), buffer, 0);
            backend.kernels().convert(stream, BufferSlice.of(buffer), DType.F32, BufferSlice.of(converted), DType.F16,
                    BYTES / 4);
            try (Fence fence = stream.fence()) {
                other.waitFor(fence);
                fence.await();
            }
            try (Fence fence = stream.fence()) {
                fence.isPassed();
            }
            other.copyToHost(buffer, 0, staging.segment());
            other.synchronize();
        }
    }
}

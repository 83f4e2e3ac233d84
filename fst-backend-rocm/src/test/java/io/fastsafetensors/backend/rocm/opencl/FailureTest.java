package io.fastsafetensors.backend.rocm.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.rocm.opencl.binding.ClStatus;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Each call of a whole life fails in turn: one clear exception, and nothing is left.
class FailureTest {
    private static FakeDriver driver() {
        FakeDriver driver = new FakeDriver();
        driver.platforms.add(new FakePlatform("Fake", new FakeDevice("Fake GPU", 4).withFreeKibibytes(512)));
        return driver;
    }

    /// Uses everything there is; returns the last byte that came back.
    private static int life(FakeDriver driver) {
        Backend backend = Installation.find(() -> driver).open(Device.parse("opencl:0"));
        try (backend;
                CopyStream stream = backend.openCopyStream();
                CopyStream other = backend.openCopyStream();
                StagingBuffer staging = backend.allocateStaging(100);
                DeviceBuffer one = backend.allocate(400, 256);
                DeviceBuffer two = backend.allocate(200, 256)) {
            backend.memory();
            staging.segment().fill((byte) 7);
            stream.copyToDevice(staging.segment(), one, 300);
            stream.copyToDevice(MemorySegment.ofArray(new byte[100]), one, 0);
            stream.copyToDevice(staging.segment(), one, 0);
            try (Fence fence = stream.fence()) {
                other.waitFor(fence);
                backend.kernels().convert(other, BufferSlice.of(one), DType.F32, BufferSlice.of(two), DType.F16, 100);
                other.copy(one, 300, two, 100, 100);
                other.copyToHost(two, 100, staging.segment());
                fence.isPassed();
                fence.await();
            }
            other.synchronize();
            return staging.segment().get(java.lang.foreign.ValueLayout.JAVA_BYTE, 99);
        }
    }

    @Test
    void nothing_is_left_after_a_life_without_failures() {
        FakeDriver driver = driver();
        assertEquals(7, life(driver));
        assertEquals(Map.of(), driver.alive());
        assertEquals(List.of(), driver.misuse);
        Set<String> unused = new TreeSet<>();
        for (var method : io.fastsafetensors.backend.rocm.opencl.binding.OpenCl.class.getMethods()) {
            unused.add(method.getName());
        }
        unused.removeAll(new HashSet<>(driver.calls));
        assertEquals(Set.of("clGetProgramBuildInfo"), unused, "calls that this life does not make");
    }

    @ParameterizedTest
    @ValueSource(ints = {-4, -5, -6, -30, -36, -61, -9999})
    void each_call_in_turn(int status) {
        FakeDriver whole = driver();
        life(whole);
        for (int i = 0; i < whole.calls.size(); i++) {
            FakeDriver driver = driver();
            driver.failCall(i, status);
            String where = "call " + i + ", " + whole.calls.get(i);
            BackendException e = assertThrows(BackendException.class, () -> life(driver), where);
            assertTrue(e.getMessage().contains(whole.calls.get(i)), where + ": " + e.getMessage());
            assertTrue(e.getMessage().contains(ClStatus.name(status)), where + ": " + e.getMessage());
            assertEquals("opencl", e.where().backend(), where);
            assertEquals(Map.of(), driver.alive(), where);
            assertEquals(List.of(), driver.misuse, where);
        }
    }

    @Test
    void a_build_that_fails_shows_what_the_compiler_said() {
        FakeDriver driver = driver();
        driver.fail("clBuildProgram", -11);
        BackendException e = assertThrows(BackendException.class, () -> life(driver));
        assertTrue(e.getMessage().contains("CL_BUILD_PROGRAM_FAILURE"), e.getMessage());
        assertTrue(e.getMessage().contains(driver.buildLog), e.getMessage());
        assertTrue(e.getMessage().contains("Fake GPU"), e.getMessage());
        assertEquals(Map.of(), driver.alive());
    }

    @Test
    void a_build_that_fails_without_a_log_still_says_so() {
        FakeDriver driver = driver();
        driver.fail("clBuildProgram", -11);
        driver.fail("clGetProgramBuildInfo", -30);
        BackendException e = assertThrows(BackendException.class, () -> life(driver));
        assertTrue(e.getMessage().contains("CL_BUILD_PROGRAM_FAILURE"), e.getMessage());
        assertTrue(e.getMessage().contains("clGetProgramBuildInfo"), e.getMessage());
    }

    @Test
    void a_long_log_is_cut() {
        FakeDriver driver = driver();
        driver.buildLog = "x".repeat(100_000);
        driver.fail("clBuildProgram", -11);
        BackendException e = assertThrows(BackendException.class, () -> life(driver));
        assertTrue(e.getMessage().length() < 3000, () -> e.getMessage().length() + " characters");
    }
}

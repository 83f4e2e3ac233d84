package io.fastsafetensors.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Each call of the driver fails in turn.
class FaultsTest {
    private static List<Throwable> session(ScriptedDriver driver) {
        CudaMachine machine = Scripted.machine(driver);
        driver.restart();
        return Session.run(() -> machine.open(new Device("cuda", 0), -1));
    }

    @Test
    void a_session_without_faults_leaves_nothing() {
        ScriptedDriver driver = new ScriptedDriver();
        assertEquals(List.of(), session(driver));
        assertEquals(Map.of(), driver.left());
        assertFalse(driver.isCurrentHere());
        assertTrue(driver.calls.size() > 50, driver.calls::toString);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 201, 700, 801, 999, 4711})
    void whichever_call_fails_it_is_named_and_nothing_is_left(int status) {
        for (int nth = 1;; nth++) {
            ScriptedDriver driver = new ScriptedDriver();
            CudaMachine machine = Scripted.machine(driver);
            driver.restart();
            driver.fail("*", nth, status);
            List<Throwable> thrown = Session.run(() -> machine.open(new Device("cuda", 0), -1));
            String call = driver.failed;
            if (call.equals("none")) {
                assertTrue(nth > 50, "only " + nth + " calls");
                return;
            }
            String what = "call " + nth + ", " + call + ", fails with " + status;
            if (call.equals("cuCtxPopCurrent")) {
                assertEquals(List.of(), thrown, what);
            } else {
                assertFalse(thrown.isEmpty(), () -> what + ": no exception");
                assertNamed(thrown.getFirst(), call, status, what);
            }
            assertFalse(driver.isCurrentHere(), () -> what + ": a context is still current");
            // What cannot enter the context cannot be freed; the context's release does it.
            if (!call.equals("cuCtxPushCurrent")) {
                assertEquals(Map.of(), driver.left(), () -> what + "; thrown " + thrown);
            }
        }
    }

    private static void assertNamed(Throwable thrown, String call, int status, String what) {
        BackendException e = assertInstanceOf(BackendException.class, thrown, what);
        assertEquals("cuda", e.where().backend());
        if (status == 2 && (call.equals("cuMemAlloc") || call.equals("cuMemHostAlloc"))) {
            assertInstanceOf(OutOfDeviceMemoryException.class, e, what);
            return;
        }
        String name = switch (status) {
            case 1 -> "CUDA_ERROR_INVALID_VALUE";
            case 2 -> "CUDA_ERROR_OUT_OF_MEMORY";
            case 201 -> "CUDA_ERROR_INVALID_CONTEXT";
            case 700 -> "CUDA_ERROR_ILLEGAL_ADDRESS";
            case 801 -> "CUDA_ERROR_NOT_SUPPORTED";
            case 999 -> "CUDA_ERROR_UNKNOWN";
            default -> "no name";
        };
        assertTrue(e.getMessage().contains("libcuda: " + call + " failed with " + status + " (")
                && e.getMessage().contains(name), () -> what + ": " + e.getMessage());
    }
}

package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;

/// The work queued at the [FakeDriver]: done at once, or later while it is held.
final class FakeCommands {
    private static final int RUNNING = 1;

    private record Pending(long event, IntSupplier work) {
    }

    private final Map<Long, Integer> statuses = new HashMap<>();
    private final List<Pending> pending = new ArrayList<>();
    private int nextStatus;
    private boolean held;

    void failNext(int status) {
        nextStatus = status;
    }

    void hold() {
        held = true;
    }

    /// Does what is pending.
    void proceed() {
        held = false;
        while (!pending.isEmpty()) {
            Pending next = pending.removeFirst();
            statuses.put(next.event(), next.work().getAsInt());
        }
    }

    /// The execution status of an event.
    int status(long event) {
        return statuses.get(event);
    }

    /// Does a command now, behind what is pending, and returns its status.
    int block(long[] waits, Runnable work) {
        IntSupplier command = command(waits, work);
        proceed();
        return command.getAsInt();
    }

    void queue(long event, long[] waits, Runnable work) {
        IntSupplier command = command(waits, work);
        if (held) {
            statuses.put(event, RUNNING);
            pending.add(new Pending(event, command));
        } else {
            statuses.put(event, command.getAsInt());
        }
    }

    private IntSupplier command(long[] waits, Runnable work) {
        int fate = nextStatus;
        nextStatus = OpenCl.CL_SUCCESS;
        return () -> {
            if (Arrays.stream(waits).anyMatch(wait -> statuses.get(wait) < 0)) {
                return OpenCl.CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
            }
            if (fate == OpenCl.CL_SUCCESS) {
                work.run();
            }
            return fate;
        };
    }
}

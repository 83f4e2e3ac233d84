package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.gpu.nccl.ffm.Nccl;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The library's variable `NCCL_COMM_ID`, by which it makes every process of a group the same id. Set only while groups join at an
/// address that the environment does not name, so that other groups of the process do not meet there. Thread-safe.
final class CommAddress {
    static final String VARIABLE = "NCCL_COMM_ID";

    private static final Object LOCK = new Object();
    private static @Nullable String current;
    private static int users;

    private CommAddress() {
    }

    /// Does something while the variable has a value; who needs another value waits meanwhile.
    static <T> T with(String address, Nccl nccl, Supplier<T> work) {
        enter(address, nccl);
        try {
            return work.get();
        } finally {
            leave(nccl);
        }
    }

    private static void enter(String address, Nccl nccl) {
        synchronized (LOCK) {
            boolean interrupted = false;
            while (users > 0 && !address.equals(current)) {
                try {
                    LOCK.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            if (users++ == 0) {
                current = address;
                nccl.setenv(VARIABLE, address);
            }
        }
    }

    private static void leave(Nccl nccl) {
        synchronized (LOCK) {
            if (--users == 0) {
                current = null;
                nccl.setenv(VARIABLE, System.getenv(VARIABLE));
                LOCK.notifyAll();
            }
        }
    }
}

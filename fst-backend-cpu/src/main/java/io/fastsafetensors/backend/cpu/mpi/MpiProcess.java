package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.backend.cpu.mpi.ffm.Mpi;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The library in this process: started once, by us or by others, and ended once, by the one that started it.
/// Thread-safe.
///
/// Start and end wait for every process, and so have a thread of their own, which others wait for with a deadline.
final class MpiProcess {
    private final MpiCalls calls;
    private final CountDownLatch started = new CountDownLatch(1);
    private final CountDownLatch toEnd = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private final List<MpiRequest> leftOver = new ArrayList<>();
    private volatile @Nullable RuntimeException failure;
    private volatile @Nullable String retired;
    private boolean ours;
    private boolean usedByUs;
    private int groups;
    private Duration patience = Duration.ZERO;

    MpiProcess(Mpi mpi) {
        this.calls = new MpiCalls(mpi);
    }

    MpiCalls calls() {
        return calls;
    }

    /// One more group uses the library, which is started if it is not.
    ///
    /// @throws GroupException if the library does not start in time, or cannot be used
    synchronized void enter(Duration timeout) {
        requireUsable();
        if (!ours && !usedByUs) {
            start();
        }
        if (ours) {
            awaitStart(timeout);
        }
        usedByUs = true;
        groups++;
        patience = timeout.compareTo(patience) > 0 ? timeout : patience;
    }

    private void start() {
        if (calls.number("MPI_Finalized", Mpi::MPI_Finalized) != 0) {
            throw new GroupException("MPI was ended in this process, and starts only once", Where.nowhere());
        }
        if (calls.number("MPI_Initialized", Mpi::MPI_Initialized) == 0) {
            ours = true;
            Thread.ofPlatform().daemon().name("fst-mpi").start(this::live);
            return;
        }
        int level = calls.number("MPI_Query_thread", Mpi::MPI_Query_thread);
        if (level < Mpi.MPI_THREAD_MULTIPLE) {
            throw new GroupException("another part of this program started MPI for one thread at a time (level " + level
                    + "); let it ask MPI_Init_thread for MPI_THREAD_MULTIPLE", Where.nowhere());
        }
    }

    private void awaitStart(Duration timeout) {
        if (!await(started, timeout)) {
            throw new GroupException("MPI_Init_thread did not return within " + timeout.toSeconds()
                    + " s: it waits for every process that mpirun started", Where.nowhere());
        }
        RuntimeException why = failure;
        if (why != null) {
            throw new GroupException("MPI does not start: " + why.getMessage(), Where.nowhere(), why);
        }
    }

    /// The library's own thread.
    private void live() {
        try {
            int level = calls.number("MPI_Init_thread",
                    (mpi, provided) -> mpi.MPI_Init_thread(Mpi.MPI_THREAD_MULTIPLE, provided));
            calls.run("MPI_Comm_set_errhandler",
                    mpi -> mpi.MPI_Comm_set_errhandler(mpi.MPI_COMM_WORLD(), mpi.MPI_ERRORS_RETURN()));
            if (level < Mpi.MPI_THREAD_SERIALIZED) {
                throw new GroupException("this MPI serves only the thread that started it (level " + level + ")",
                        Where.nowhere());
            }
        } catch (RuntimeException e) {
            failure = e;
        } finally {
            started.countDown();
        }
        if (await(toEnd, Duration.ofNanos(Long.MAX_VALUE))) {
            calls.run("MPI_Finalize", Mpi::MPI_Finalize);
            ended.countDown();
        }
    }

    synchronized void leave() {
        groups--;
    }

    boolean isUsable() {
        return retired == null;
    }

    /// @throws GroupException if the library is not to be called any more
    void requireUsable() {
        String why = retired;
        if (why != null) {
            throw new GroupException("this process uses MPI no more: " + why, Where.nowhere());
        }
    }

    /// Keeps the memory of requests that may still end.
    synchronized void keep(List<MpiRequest> requests) {
        leftOver.addAll(requests);
    }

    /// Calls the library no more.
    void retire(String why) {
        retired = why;
    }

    /// Ends the library when the program ends, unless others started it, or a group is still open or was lost: then the
    /// others will not come either, and mpirun sees that this process ends without.
    ///
    /// @return whether the library has ended
    boolean end() {
        Duration limit;
        synchronized (this) {
            if (!ours || !usedByUs || groups > 0 || !isUsable()) {
                return false;
            }
            limit = patience;
        }
        toEnd.countDown();
        return await(ended, limit);
    }

    private static boolean await(CountDownLatch latch, Duration limit) {
        boolean interrupted = false;
        long end = System.nanoTime() + limit.toNanos();
        try {
            while (true) {
                try {
                    return latch.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}

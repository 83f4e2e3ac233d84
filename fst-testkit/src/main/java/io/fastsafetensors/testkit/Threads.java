package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/// Runs the same work on several threads at once.
final class Threads {
    interface Work {
        void run(int thread) throws Exception;
    }

    private static final int SPINS = 2000;

    private Threads() {
    }

    /// Starts them together, waits for all, and fails with what the first one threw.
    static void together(int count, Work work) throws InterruptedException {
        CountDownLatch start = new CountDownLatch(1);
        List<Throwable> thrown = new CopyOnWriteArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int number = i;
            threads.add(Thread.ofPlatform().daemon().name("testkit-" + i).start(() -> {
                try {
                    start.await();
                    work.run(number);
                } catch (Throwable e) {
                    thrown.add(e);
                }
            }));
        }
        start.countDown();
        for (Thread thread : threads) {
            if (!thread.join(Workbench.patience())) {
                fail(thread.getName() + " does not end");
            }
        }
        if (!thrown.isEmpty()) {
            fail(thrown.size() + " of " + count + " threads failed: " + thrown.getFirst(), thrown.getFirst());
        }
    }

    /// One round of a race.
    interface Race {
        /// What the threads race for; called by one of them before each round.
        void prepare(int round);

        /// What each does, at the same moment.
        void run(int thread);
    }

    /// Runs many rounds of the same race, the threads leaving a barrier within some nanoseconds of each other: they spin
    /// there. Fails with what the first one threw.
    static void race(int count, int rounds, Race race) throws InterruptedException {
        AtomicInteger arrived = new AtomicInteger();
        AtomicInteger gate = new AtomicInteger();
        AtomicBoolean failed = new AtomicBoolean();
        together(count, thread -> {
            try {
                for (int round = 0; round < rounds && !failed.get(); round++) {
                    meet(count, 2 * round + 1, arrived, gate, failed, thread == 0 ? round : -1, race);
                    if (!failed.get()) {
                        race.run(thread);
                    }
                    meet(count, 2 * round + 2, arrived, gate, failed, -1, race);
                }
            } catch (Throwable e) {
                failed.set(true);
                throw e;
            }
        });
    }

    private static void meet(int count, int number, AtomicInteger arrived, AtomicInteger gate, AtomicBoolean failed,
            int prepared, Race race) {
        if (prepared >= 0) {
            race.prepare(prepared);
        }
        if (arrived.incrementAndGet() == count) {
            arrived.set(0);
            gate.set(number);
            return;
        }
        for (int spins = 0; gate.get() < number && !failed.get(); spins++) {
            if (spins < SPINS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(1000);
            }
        }
    }
}

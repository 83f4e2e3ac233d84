package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/// Runs the same work on several threads at once.
final class Threads {
    interface Work {
        void run(int thread) throws Exception;
    }

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
}

package io.fastsafetensors.core.place;

import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/// The threads that a loader's loads read with. They stay for the next load: starting sixteen takes milliseconds, which
/// is much beside a load of tens. Thread-safe.
public final class ReaderThreads {
    private static final AtomicInteger NUMBER = new AtomicInteger();
    private static final int IDLE_SECONDS = 10;

    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(0, Integer.MAX_VALUE, IDLE_SECONDS,
            TimeUnit.SECONDS, new SynchronousQueue<>(),
            work -> Thread.ofPlatform().daemon().name("fst-reader-" + NUMBER.incrementAndGet()).unstarted(work));

    /// None yet.
    public ReaderThreads() {
    }

    /// Runs `work` on a thread of its own, at once.
    public void run(Runnable work) {
        threads.execute(work);
    }

    /// Ends the idle threads now and the others when they have done what they do. Nothing is run any more.
    public void end() {
        threads.shutdown();
    }
}

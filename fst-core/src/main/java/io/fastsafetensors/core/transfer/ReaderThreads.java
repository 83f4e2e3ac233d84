package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.ProcessLimit;
import io.fastsafetensors.core.memory.SharedResources;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/// The threads that loads read with. All loads of the process share one bounded number of readers, in turns where there are
/// more loads than that; what helps a load besides has threads of its own. They stay for the next load: starting sixteen
/// takes milliseconds, which is much for a load of tens. Thread-safe.
///
/// One for a loader; the two bounded executors are the process's. A reader occupies a thread for a turn, not for its
/// whole load ([#othersWait]), so a small load that comes late is not kept waiting by a large one.
///
/// Threads are daemons and no virtual ones: reads block in system calls, which would pin their carriers.
public final class ReaderThreads {
    private static final AtomicInteger NUMBER = new AtomicInteger();
    /// How long an idle thread stays: longer than the pause between two loads of one program.
    private static final int IDLE_SECONDS = 30;
    private static final int FEWEST = 16;
    private static final String MOST_PROPERTY = "fst.maxReaders";
    private static final SharedResources<Integer, ThreadPoolExecutor> READERS = new SharedResources<>(
            most -> executor("reader", most, new LinkedBlockingQueue<>()), ThreadPoolExecutor::shutdown);

    private static final String MOST_REMOTE_PROPERTY = "fst.maxRemoteReaders";
    private static final long MOST_REMOTE = 128;
    /// Those that wait for other machines most of the time, which needs neither processors nor a drive.
    private static final SharedResources<Integer, ThreadPoolExecutor> REMOTE = new SharedResources<>(
            most -> executor("remote", most, new LinkedBlockingQueue<>()), ThreadPoolExecutor::shutdown);

    /// Bound while a thread does a load's work; a progress listener that waits for bytes is found out by it.
    private static final ScopedValue<Boolean> CURRENT = ScopedValue.newInstance();

    /// The bounds as they were when this was made: what was retained under a bound is released under it, whatever the
    /// property says by then.
    private final int most = most();
    private final int mostRemote = mostRemote();
    private final ThreadPoolExecutor readers = READERS.retain(most);
    private final ThreadPoolExecutor remote = REMOTE.retain(mostRemote);
    /// Without a bound: what runs here is waited for by a reader or by a user, and must never wait for a turn.
    private final ThreadPoolExecutor helpers = executor("helper", 0, new SynchronousQueue<>());

    /// None yet.
    ///
    /// @throws io.fastsafetensors.error.ConfigException if the property that bounds them is no number
    public ReaderThreads() {
    }

    /// @param most the most threads; 0 for as many as there is work
    /// @param queue where work waits for one of them
    private static ThreadPoolExecutor executor(String role, int most, BlockingQueue<Runnable> queue) {
        ThreadPoolExecutor threads = new ThreadPoolExecutor(most, most == 0 ? Integer.MAX_VALUE : most, IDLE_SECONDS,
                TimeUnit.SECONDS, queue,
                work -> Thread.ofPlatform().daemon().name("fst-" + role + "-" + NUMBER.incrementAndGet())
                        .unstarted(work));
        threads.allowCoreThreadTimeOut(true);
        return threads;
    }

    /// The most readers of the process: the system property `fst.maxReaders`, or two for each core and 16 at least.
    ///
    /// @throws io.fastsafetensors.error.ConfigException if the property is no number
    static int most() {
        return (int) Math.min(Integer.MAX_VALUE, ProcessLimit.number(MOST_PROPERTY, 1)
                .orElseGet(() -> Math.max(FEWEST, 2L * Runtime.getRuntime().availableProcessors())));
    }

    /// The most readers of files of other machines: the system property `fst.maxRemoteReaders`, or 128.
    ///
    /// @throws io.fastsafetensors.error.ConfigException if the property is no number
    static int mostRemote() {
        return (int) Math.min(Integer.MAX_VALUE,
                ProcessLimit.number(MOST_REMOTE_PROPERTY, 1).orElse(MOST_REMOTE));
    }

    /// Runs what is no reader on a thread of its own, at once.
    public void run(Runnable work) {
        helpers.execute(work);
    }

    /// Runs a reader, when its turn comes. It asks now and then whether others wait, and then ends and has itself run again.
    ///
    /// @param waits whether it reads files of other machines
    void read(Runnable reader, boolean waits) {
        (waits ? remote : readers).execute(reader);
    }

    /// Whether readers of this kind wait for their turn.
    boolean othersWait(boolean waits) {
        return !(waits ? remote : readers).getQueue().isEmpty();
    }

    /// Does a load's work on the current thread, which counts as a reader meanwhile.
    ///
    /// Also for the thread of an exchange, which calls listeners too.
    static void runAsReader(Runnable work) {
        ScopedValue.where(CURRENT, Boolean.TRUE).run(work);
    }

    /// Whether the current thread is a reader of some load: there a progress listener runs. It must not wait for reads.
    public static boolean isReading() {
        return CURRENT.isBound();
    }

    /// Refuses to wait for reads on a reader's own thread, which would wait for itself, or for one that waits for it.
    ///
    /// @param what what would be waited for
    /// @throws IllegalStateException in a progress listener
    public static void requireMayWait(String what) {
        if (isReading()) {
            throw new IllegalStateException("a progress listener, which runs on a thread that reads, would wait for "
                    + what + " for ever; ask isReady first, or wait on another thread");
        }
    }

    /// Ends the threads that nobody else uses when they have done what they do. Nothing is run any more.
    ///
    /// Idle threads go after [#IDLE_SECONDS].
    public void end() {
        helpers.shutdown();
        READERS.release(most);
        REMOTE.release(mostRemote);
    }
}

package io.fastsafetensors.core.place;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.Uninterruptibly;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.ReadCounters;
import io.fastsafetensors.core.read.Storage;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// The reader threads of one load. They take blocks in the plan's order; the first failure stops them all and reaches
/// every waiter once.
public final class LoadJob {
    private static final ScopedValue<LoadJob> CURRENT = ScopedValue.newInstance();

    private final ReadPlan plan;
    private final SharedBackend backend;
    private final OpenFiles files;
    private final Routing routing;
    private final ReaderThreads threads;
    private final LoadContext context;
    private final int numaNode;
    private final ProgressListener progress;
    private final Arrivals arrivals;
    private final Span span;
    private final ReadCounters counters = new ReadCounters();
    private final LongAdder placeNanos = new LongAdder();
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicLong bytesDone = new AtomicLong();
    private final Object progressLock = new Object();
    private final CountDownLatch finished = new CountDownLatch(1);
    private final FirstTensor firstTensor;
    private volatile boolean stopped;
    private volatile long allDoneNanos;
    private volatile long stagingBytes;
    private final int readers;

    /// @param places the buffers of the files; they may come while the readers read already
    /// @param routing the ways of the files; closed when the readers have stopped
    /// @param backend the device; held by the caller until [#join()] has returned
    /// @param pool slots and streams, one hold of which is taken over; null if the host can address the device's memory
    /// @param crew how many readers, fewer if there are fewer blocks
    /// @param threads where they run
    /// @param tap sees what was read; [ReadTap#NONE], or the crew is one reader
    /// @param progress told how this load is doing
    public LoadJob(ReadPlan plan, Places places, Routing routing, SharedBackend backend,
            @Nullable SlotPool pool, Readers.Crew crew, ReaderThreads threads,
            ReadTap tap, LoadOptions options, ProgressListener progress, Span span) {
        this.plan = plan;
        this.backend = backend;
        this.routing = routing;
        this.threads = threads;
        this.files = new OpenFiles(plan, Storage.platform(), backend.get().directStorage(), options.directIo(),
                counters);
        this.numaNode = options.numaPinning() ? backend.get().info().numaNode() : -1;
        this.progress = progress;
        this.arrivals = new Arrivals(plan.blocks().size());
        this.firstTensor = new FirstTensor(plan, arrivals);
        this.span = span;
        this.context = new LoadContext(plan, places, files, routing, backend, pool,
                crew.blocksInFlight(), tap, placeNanos, () -> stopped, this::landed);
        this.readers = Math.min(crew.threads(), plan.blocks().size());
    }

    /// Starts the readers.
    public void start() {
        if (context.pool() != null) {
            context.pool().begin(plan.needsSlots() ? readers * context.blocksInFlight() : 0);
        }
        if (readers == 0) {
            finish();
            return;
        }
        running.set(readers);
        int alive = 0;
        try {
            while (alive < readers) {
                threads.run(this::work);
                alive++;
            }
        } catch (OutOfMemoryError e) {
            fail(new BackendException("cannot start a reader thread: " + e.getMessage()
                    + "; use fewer readers or raise the limit of threads", Where.backend(backend.get().name()), e));
            if (running.addAndGet(alive - readers) == 0) {
                finish();
            }
        }
    }

    /// Whether the current thread is one of this load's readers.
    public boolean isReader() {
        return CURRENT.isBound() && CURRENT.get() == this;
    }

    /// Whether the current thread is a reader of some load.
    public static boolean isReading() {
        return CURRENT.isBound();
    }

    private void work() {
        ScopedValue.where(CURRENT, this).run(this::readAll);
    }

    private void readAll() {
        NumaNode.pin(numaNode);
        Landers landers = new Landers(context);
        failing(() -> carryOut(landers));
        failing(landers::close);
        if (running.decrementAndGet() == 0) {
            finish();
        }
    }

    private void carryOut(Lander landers) {
        int blocks = plan.blocks().size();
        for (int b = next.getAndIncrement(); !stopped && b < blocks; b = next.getAndIncrement()) {
            landers.land(plan.inOrder(b));
        }
        if (!stopped) {
            landers.finish();
        }
    }

    /// Whatever goes wrong fails the load.
    private void failing(Runnable work) {
        try {
            work.run();
        } catch (RuntimeException e) {
            fail(e);
        } catch (Error e) {
            fail(new BackendException("a reader thread failed: " + e, Where.backend(backend.get().name()), e));
        }
    }

    private void landed(int block) {
        arrivals.arrive(block);
        firstTensor.arrived(block);
        long done = bytesDone.addAndGet(plan.blocks().end(block) - plan.blocks().start(block));
        if (done == plan.bytesToRead()) {
            allDoneNanos = System.nanoTime();
        }
        if (!progress.equals(ProgressListener.NONE)) {
            synchronized (progressLock) {
                progress.progress(bytesDone.get(), plan.bytesToRead());
            }
        }
    }

    private void fail(RuntimeException why) {
        stopped = true;
        arrivals.fail(why);
        context.places().wakeUp();
        if (context.pool() != null) {
            context.pool().wakeUp();
        }
    }

    private void finish() {
        failing(files::close);
        failing(routing::close);
        if (context.pool() != null) {
            stagingBytes = context.pool().bytes();
            context.pool().end();
            context.pool().release();
        }
        RuntimeException failure = arrivals.failure();
        if (allDoneNanos == 0) {
            allDoneNanos = failure == null ? System.nanoTime() : 0;
        }
        span.finish(failure == null ? "done" : failure.toString());
        finished.countDown();
    }

    /// Stops after the blocks in flight; whoever waits for others gets `why`.
    public void cancel(RuntimeException why) {
        if (finished.getCount() > 0) {
            fail(why);
        }
    }

    /// Waits until no reader touches memory or files any more.
    public void join() {
        Uninterruptibly.run(finished::await);
    }

    /// Which blocks are in place.
    public Arrivals arrivals() {
        return arrivals;
    }

    /// What was read so far, and how.
    public ReadCounters counters() {
        return counters;
    }

    /// Time spent moving blocks from slots, in seconds over all readers.
    public double placeSeconds() {
        return placeNanos.sum() / 1e9;
    }

    /// How many readers it has.
    public int readers() {
        return readers;
    }

    /// The page-locked bytes that this load shares with others, 0 if it needs none.
    public long stagingBytes() {
        if (!plan.needsSlots()) {
            return 0;
        }
        if (context.pool() == null) {
            return readers * plan.slotBytes();
        }
        return finished.getCount() == 0 ? stagingBytes : context.pool().bytes();
    }

    /// How each file was read, and why.
    public List<String> storageReport() {
        return files.report();
    }

    /// `System.nanoTime()` when the first tensor was complete, 0 before.
    public long firstTensorNanos() {
        return firstTensor.nanos();
    }

    /// `System.nanoTime()` when everything was in place, 0 before.
    public long allDoneNanos() {
        return allDoneNanos;
    }
}

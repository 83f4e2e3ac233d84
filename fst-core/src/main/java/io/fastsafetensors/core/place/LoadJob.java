package io.fastsafetensors.core.place;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.Uninterruptibly;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.ReadCounters;
import io.fastsafetensors.core.read.Storage;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
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
    private final Progress progress;
    private final Arrivals arrivals;
    private final @Nullable Exchange exchange;
    private final Span span;
    private final ReadCounters counters = new ReadCounters();
    private final LongAdder placeNanos = new LongAdder();
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger running = new AtomicInteger();
    private final CountDownLatch taken = new CountDownLatch(1);
    private final CountDownLatch finished = new CountDownLatch(1);
    private volatile boolean stopped;
    private volatile long stagingBytes;
    private final int readers;

    /// @param places the buffers of the files; they may come while the readers read already
    /// @param routing the ways of the files; closed when the readers have stopped
    /// @param backend the device; held by the caller until [#join()] has returned
    /// @param memory what readers may allocate on the device
    /// @param pool slots and streams, one hold of which is taken over; null if the host can address the device's memory
    /// @param crew how many readers, fewer if there are fewer blocks
    /// @param threads where they run
    /// @param tap sees what was read; [ReadTap#NONE], or the crew is one reader
    /// @param progress told how this load is doing
    /// @param exchange the loads of other ranks that this one works together with, null if there are none; closed when
    ///        the load has ended
    public LoadJob(ReadPlan plan, Places places, Routing routing, SharedBackend backend,
            LoadMemory.Grant memory, @Nullable SlotPool pool, Readers.Crew crew, ReaderThreads threads,
            ReadTap tap, LoadOptions options, ProgressListener progress, Span span, @Nullable Exchange exchange) {
        this.plan = plan;
        this.exchange = exchange;
        this.backend = backend;
        this.routing = routing;
        this.threads = threads;
        this.files =
                new OpenFiles(plan, this::reads, Storage.platform(), backend.get().directStorage(), options.directIo(),
                        counters);
        this.numaNode = options.numaPinning() ? backend.get().info().numaNode() : -1;
        this.arrivals = new Arrivals(plan.blocks().size());
        this.progress = new Progress(plan, arrivals, progress);
        this.span = span;
        this.context = new LoadContext(plan, places, files, routing, backend, memory, pool,
                crew.blocksInFlight(), tap, placeNanos, () -> stopped,
                exchange == null ? this.progress::arrived : exchange::landed);
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
        int workers = exchange == null ? readers : readers + 1;
        running.set(workers);
        int alive = 0;
        try {
            if (exchange != null) {
                threads.run(() -> work(() -> exchange.run(share())));
                alive++;
            }
            while (alive < workers) {
                threads.run(() -> work(this::readAll));
                alive++;
            }
        } catch (OutOfMemoryError e) {
            fail(new BackendException("cannot start a reader thread: " + e.getMessage()
                    + "; use fewer readers or raise the limit of threads", Where.backend(backend.get().name()), e));
            if (running.addAndGet(alive - workers) == 0) {
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

    private boolean reads(int position) {
        return exchange == null || exchange.reads(position);
    }

    private void work(Runnable work) {
        ScopedValue.where(CURRENT, this).run(() -> failing(work));
        if (running.decrementAndGet() == 0) {
            finish();
        }
    }

    private void readAll() {
        NumaNode.pin(numaNode);
        Landers landers = new Landers(context);
        failing(() -> carryOut(landers));
        failing(landers::close);
    }

    /// This load, as those of other ranks see it.
    private Exchange.Load share() {
        return new Exchange.Load() {
            @Override
            public @Nullable DeviceBuffer bufferOf(int block) {
                return context.bufferOf(block);
            }

            @Override
            public void arrived(int block) {
                progress.arrived(block);
            }
        };
    }

    private void carryOut(Lander landers) {
        int blocks = plan.blocks().size();
        for (int b = next.getAndIncrement(); !stopped && b < blocks; b = next.getAndIncrement()) {
            if (reads(b)) {
                landers.land(plan.inOrder(b));
            }
        }
        taken.countDown();
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

    private void fail(RuntimeException why) {
        stopped = true;
        if (exchange != null) {
            // Before anybody who waits here can close the load and give that as the reason.
            exchange.failed(why);
        }
        arrivals.fail(why);
        context.places().wakeUp();
        if (context.pool() != null) {
            context.pool().wakeUp();
        }
    }

    private void finish() {
        taken.countDown();
        failing(files::close);
        failing(routing::close);
        if (exchange != null) {
            failing(exchange::close);
        }
        if (context.pool() != null) {
            stagingBytes = context.pool().bytes();
            context.pool().end();
            context.pool().release();
        }
        progress.ended();
        RuntimeException failure = arrivals.failure();
        span.finish(failure == null ? "done" : failure.toString());
        finished.countDown();
    }

    /// Stops after the blocks in flight; whoever waits for others gets `why`.
    public void cancel(RuntimeException why) {
        if (finished.getCount() > 0) {
            fail(why);
        }
    }

    /// Waits until the first reader has nothing to do any more: the last blocks are on their way.
    public void awaitLastBlocks() {
        Uninterruptibly.run(taken::await);
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

    /// Bytes that came from other ranks so far.
    public long bytesReceived() {
        return exchange == null ? 0 : exchange.bytesReceived();
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
        return progress.firstTensorNanos();
    }

    /// `System.nanoTime()` when everything was in place, 0 before.
    public long allDoneNanos() {
        return progress.allDoneNanos();
    }
}

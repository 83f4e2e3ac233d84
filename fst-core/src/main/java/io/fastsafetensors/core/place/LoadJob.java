package io.fastsafetensors.core.place;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
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
    private static final AtomicInteger NUMBER = new AtomicInteger();
    private static final ScopedValue<LoadJob> CURRENT = ScopedValue.newInstance();

    private final ReadPlan plan;
    private final List<@Nullable SharedBuffer> buffers;
    private final SharedBackend backend;
    private final OpenFiles files;
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
    private int readers;

    /// @param buffers one a file, null where nothing is read; held by the caller until [#join()] has returned
    public LoadJob(ReadPlan plan, List<@Nullable SharedBuffer> buffers, SharedBackend backend, LoadOptions options,
            Span span) {
        this.plan = plan;
        this.buffers = buffers;
        this.backend = backend;
        this.files = new OpenFiles(plan, Storage.platform(), options.directIo(), counters);
        this.progress = options.progress();
        this.arrivals = new Arrivals(plan.blocks().size());
        this.firstTensor = new FirstTensor(plan, arrivals);
        this.span = span;
    }

    /// Starts `threads` readers, fewer if there are fewer blocks.
    public void start(int threads) {
        readers = Math.min(threads, plan.blocks().size());
        if (readers == 0) {
            finish();
            return;
        }
        running.set(readers);
        int number = NUMBER.incrementAndGet();
        List<Thread> started = new ArrayList<>(readers);
        for (int i = 0; i < readers; i++) {
            started.add(Thread.ofPlatform().daemon().name("fst-reader-" + number + "-" + i).unstarted(this::work));
        }
        int alive = 0;
        try {
            for (Thread thread : started) {
                thread.start();
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

    private void work() {
        ScopedValue.where(CURRENT, this).run(this::readAll);
    }

    private void readAll() {
        try (Lander lander = new Lander(plan, buffers, files, backend.get(), placeNanos)) {
            BlockTable blocks = plan.blocks();
            for (int b = next.getAndIncrement(); !stopped && b < blocks.size(); b = next.getAndIncrement()) {
                lander.land(b);
                arrivals.arrive(b);
                firstTensor.arrived(b);
                report(blocks.end(b) - blocks.start(b));
            }
        } catch (RuntimeException e) {
            fail(e);
        } catch (Error e) {
            fail(new BackendException("a reader thread failed: " + e, Where.backend(backend.get().name()), e));
        } finally {
            if (running.decrementAndGet() == 0) {
                finish();
            }
        }
    }

    private void report(long bytes) {
        long done = bytesDone.addAndGet(bytes);
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
    }

    private void finish() {
        try {
            files.close();
        } catch (RuntimeException e) {
            fail(e);
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
        boolean interrupted = false;
        while (true) {
            try {
                finished.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
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

package io.fastsafetensors.core.stream;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.load.LoadTarget;
import io.fastsafetensors.core.load.LoadedWeights;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.core.stream.BatchPlanner.StreamBudget;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.tensor.DeviceWork;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.spi.Releases;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The reading side of a stream: a thread that starts one batch after the other, as far ahead as the options and the
/// budget allow. Thread-safe.
///
/// A batch is cut when its turn comes: a share of the budget, or what owned tensors have left of it. Nothing is read
/// before the memory for it was granted.
///
/// The thread waits for three things: a place among the batches in memory, room in the budget, and the readers of the
/// last but one batch. Whatever releases memory wakes it ([LoadMemory#onRelease]), on whichever thread that happens.
///
/// A failure of the thread is told when the batches before it were consumed, so that a stream fails at the tensor
/// that could not be read and not earlier.
public final class BatchProducer implements AutoCloseable {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    /// Loads that read at a time: the next one keeps the readers busy while the last blocks of one arrive.
    private static final int READING = 2;
    /// How long a consumer who waits for a batch is given to close owned tensors, perhaps on another thread, if these
    /// leave no room for it.
    private static final long PATIENCE_MILLIS = 10_000;

    private final BatchPlanner planner;
    private final LoadTarget target;
    private final StreamBudget budget;
    private final StreamPlan plan;
    private final LoadMemory memory;
    private final StatsAccumulator.Progress progress;
    /// Batches whose load was started and that nobody consumes yet. Guarded by this object, like what follows.
    private final ArrayDeque<Batch> ready = new ArrayDeque<>();
    /// Batches that have memory: being loaded, waiting, or consumed.
    private int inMemory;
    private final CountDownLatch ended = new CountDownLatch(1);
    /// What the thread could not release; told once, by a close.
    private Releases unreleased = new Releases();
    /// Whether there is a thread to wait for.
    private volatile boolean started;
    /// How often memory came back: who found no room waits for this to change, so that no release is missed.
    private long releases;
    /// Whether the consumer waits for a batch now.
    private boolean wanted;
    /// Whether the thread starts no batch any more.
    private boolean finished;
    /// Whether no batch is wanted any more.
    private boolean closed;
    /// What ended the thread early; told when the batches before it were consumed.
    private @Nullable Throwable failure;

    /// A batch that is being loaded or consumed. Thread-safe.
    ///
    /// The grant stays until the batch ends, because copies for owned tensors are allocated out of it while it is
    /// consumed.
    public static final class Batch {
        private final LoadedWeights weights;
        private final StreamPlan.Run run;
        private final LoadMemory.Grant grant;
        private final Map<String, SharedBuffer> copies = new HashMap<>();
        private boolean ended;

        /// @param run which tensors
        /// @param grant its memory, with room for copies of its tensors if they are owned
        private Batch(LoadedWeights weights, StreamPlan.Run run, LoadMemory.Grant grant) {
            this.weights = weights;
            this.run = run;
            this.grant = grant;
        }

        /// Its tensors.
        public LoadedWeights weights() {
            return weights;
        }

        /// A tensor that outlives the batch and keeps no more memory than its own: the only one of its buffer, or a copy,
        /// made once however often it is asked for.
        ///
        /// @throws IllegalStateException if the batch is closed
        CoreTensor owned(CoreTensor tensor) {
            if (run.alone()) {
                return tensor.detach();
            }
            // The tensor may be closed at any moment from here on.
            String name = tensor.name();
            synchronized (copies) {
                if (ended) {
                    throw new IllegalStateException("the batch is closed");
                }
                SharedBuffer copy = copies.get(name);
                if (copy == null) {
                    copy = DeviceWork.copy(tensor, grant);
                    copies.put(name, copy);
                }
                return tensor.detachedAs(copy.retain());
            }
        }

        private void close() {
            end(weights::close);
        }

        /// As [#close()], without waiting.
        private void abandon() {
            end(weights::abandon);
        }

        /// Copies that a consumer still has keep their memory: each tensor has a reference of its own.
        private void end(Runnable free) {
            Releases releases = new Releases().run(free);
            synchronized (copies) {
                ended = true;
                copies.values().forEach(copy -> releases.run(copy::release));
                copies.clear();
            }
            releases.run(grant::close).finish();
        }
    }

    /// @param planner plans its batches; closed with this
    private BatchProducer(BatchPlanner planner) {
        this.planner = planner;
        this.target = planner.target();
        this.budget = planner.budget();
        this.plan = planner.plan();
        this.memory = LoadMemory.ofStream(target.backend(), budget.total());
        this.progress = new StatsAccumulator.Progress(planner.options().progress(), plan.bytesToRead());
        memory.onRelease(this::released);
    }

    /// Plans a stream, as [BatchPlanner#open]. Nothing is read or allocated yet.
    public static BatchProducer open(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint,
            Selection selection,
            RankLayout layout, long total, int batchesAhead, long ownedAlone, long startNanos) {
        try (Resources resources = new Resources()) {
            BatchPlanner planner =
                    BatchPlanner.open(target, options, checkpoint, selection, layout, total, batchesAhead,
                            ownedAlone, startNanos);
            resources.add(planner);
            BatchProducer producer = new BatchProducer(planner);
            resources.handOver();
            return producer;
        }
    }

    /// What is loaded.
    StreamPlan plan() {
        return plan;
    }

    /// Starts the thread, which has a use of the target, and of the files, until it ends. Once.
    public void start() {
        Resources resources = new Resources();
        try {
            resources.add(target.use());
            resources.add(planner.checkpoint().sources().retain());
            Thread.ofPlatform().daemon().name("fst-stream").start(() -> run(resources));
            started = true;
        } catch (RuntimeException | Error e) {
            new Releases().run(resources::close).because(e);
            throw e;
        }
    }

    /// On the thread of the stream.
    private void run(Resources resources) {
        try {
            feed();
        } catch (RuntimeException | Error e) {
            synchronized (this) {
                failure = e;
            }
        }
        // No batch follows that could reuse what the last ones release.
        releasing(memory::close);
        releasing(resources::close);
        synchronized (this) {
            finished = true;
            notifyAll();
        }
        ended.countDown();
    }

    /// What the thread cannot release is told by [#close()].
    private void releasing(Runnable release) {
        Releases done = new Releases().run(release);
        synchronized (this) {
            unreleased.run(done::finish);
        }
    }

    /// Called by whoever releases memory of the stream, on any thread.
    private synchronized void released() {
        releases++;
        notifyAll();
    }

    /// Plans and starts one batch after the other; ends early when the stream is closed.
    private void feed() {
        ArrayDeque<LoadedWeights> reading = new ArrayDeque<>();
        for (int next = 0; next < plan.size();) {
            while (reading.size() >= READING) {
                reading.remove().join();
            }
            int end = feed(next, reading);
            if (end == next) {
                return;
            }
            next = end;
        }
    }

    /// Starts the next batch when there is room for it.
    ///
    /// @param reading the loads that may still read, the oldest first
    /// @return the tensor after it; `from` if no batch is wanted any more
    private int feed(int from, ArrayDeque<LoadedWeights> reading) {
        BatchPlanner.Batch planned = planner.regular(from);
        try {
            long deadline = Long.MAX_VALUE;
            while (true) {
                long seen = awaitTurn();
                if (seen < 0) {
                    return from;
                }
                LoadMemory.Grant grant = planned.grant(memory);
                if (grant == null && isEmpty()) {
                    // Only owned tensors are there: no waiting for more room than they leave.
                    planned.load().close();
                    planned = planner.small(from, planned, memory.availableBytes());
                    grant = planned.grant(memory);
                }
                if (grant != null) {
                    start(planned, grant, reading);
                    return planned.run().to();
                }
                deadline = awaitRelease(seen, deadline, planned);
            }
        } finally {
            planned.load().close();
        }
    }

    /// Waits until there may be another batch.
    ///
    /// @return how much was released so far, −1 if no batch is wanted any more
    private synchronized long awaitTurn() {
        Waits.uninterruptibly(this, () -> closed || inMemory < budget.batchesInMemory());
        return closed ? -1 : releases;
    }

    private synchronized boolean isEmpty() {
        return inMemory == 0;
    }

    /// Waits until something was released. While no batch is in memory and the consumer waits for one, that can only be
    /// an owned tensor.
    ///
    /// @param seen what [#awaitTurn()] said, before the grant was asked for
    /// @return until when to wait for that, in milliseconds of `System.nanoTime()`
    /// @throws BudgetException if owned tensors leave no room for too long
    private synchronized long awaitRelease(long seen, long deadline, BatchPlanner.Batch planned) {
        Waits.uninterruptibly(this, () -> closed || releases != seen || (inMemory == 0 && wanted));
        if (closed || releases != seen) {
            return deadline;
        }
        long now = TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
        long end = deadline == Long.MAX_VALUE ? now + PATIENCE_MILLIS : deadline;
        if (now >= end) {
            long needed = planned.run().bytes() + budget.scratchBytes();
            throw new BudgetException(planned.load().plan().planned().getFirst().tensors().getFirst().info().name(),
                    budget.total() - memory.availableBytes() + needed, budget.total(),
                    "owned tensors that are still open count; close some, keep fewer, or raise the budget");
        }
        Waits.uninterruptibly(this, () -> closed || releases != seen, end - now);
        return end;
    }

    /// Counts the batch before it is started, so that a close meanwhile frees it as one of those in memory.
    private void start(BatchPlanner.Batch planned, LoadMemory.Grant grant, ArrayDeque<LoadedWeights> reading) {
        synchronized (this) {
            inMemory++;
        }
        LoadedWeights weights = null;
        try {
            if (target.isHostAddressable() && !reading.isEmpty()) {
                // Where readers copy, more of them than cores are in each other's way.
                reading.getLast().awaitLastBlocks();
            }
            weights = planned.load().startBatch(memory, grant, progress.ofBatch());
            reading.add(weights);
        } finally {
            offer(weights == null ? null : new Batch(weights, planned.run(), grant), grant);
        }
    }

    /// Hands a batch to the consumer, or gives its memory back if it could not be started or the stream was closed
    /// meanwhile.
    ///
    /// @param batch null if its load could not be started
    private void offer(@Nullable Batch batch, LoadMemory.Grant grant) {
        boolean late;
        synchronized (this) {
            late = closed;
            if (batch != null && !late) {
                ready.add(batch);
                notifyAll();
                return;
            }
        }
        if (batch == null) {
            grant.close();
            left();
        } else {
            releasing(() -> done(batch));
        }
    }

    /// A batch has left memory.
    private synchronized void left() {
        inMemory--;
        releases++;
        notifyAll();
    }

    /// The most device memory that was allocated at any time.
    long peakBytes() {
        return memory.peakBytes();
    }

    /// The next batch; null after the last.
    ///
    /// A batch that is not given back by [#done(Batch)] keeps its place in memory, and in the end no other one comes.
    ///
    /// @throws IllegalStateException if the stream is closed meanwhile
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted
    /// @throws RuntimeException what failed the reading side
    public synchronized @Nullable Batch next() {
        wanted = true;
        notifyAll();
        try {
            Waits.interruptibly(this, () -> !ready.isEmpty() || finished || closed, "the next batch of the stream");
        } finally {
            wanted = false;
        }
        if (closed) {
            throw new IllegalStateException("the stream is closed");
        }
        if (ready.isEmpty() && failure != null) {
            switch (failure) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                default -> throw new AssertionError(failure);
            }
        }
        return ready.poll();
    }

    /// A batch is consumed: frees it.
    ///
    /// Waits for readers of the batch that still read.
    public void done(Batch batch) {
        try {
            batch.close();
        } finally {
            left();
        }
    }

    /// Nothing more is started; who waits for a batch stops waiting.
    synchronized void cancel() {
        closed = true;
        notifyAll();
    }

    /// Cancels, frees what is waiting, and returns when the thread has ended, or after as long as a close waits.
    ///
    /// @throws RuntimeException what could not be released, once
    @Override
    public void close() {
        Releases done = new Releases();
        takeWaiting().forEach(batch -> done.run(() -> done(batch)));
        if (started && !Waits.toClose(ended)) {
            LOG.log(Level.WARNING,
                    "a read of a stream of " + Printable.escape(planner.checkpoint().location().toString())
                            + " does not return; its memory is freed when it does");
        }
        Releases late;
        synchronized (this) {
            late = unreleased;
            unreleased = new Releases();
        }
        done.run(late::finish).run(planner::close).run(memory::close).finish();
    }

    /// As [#close()], without waiting.
    void abandon() {
        List<Batch> waiting = takeWaiting();
        waiting.forEach(Batch::abandon);
        new Releases().run(planner::close).run(memory::close).finish();
    }

    /// Cancels, so that no batch is added to what is taken.
    private synchronized List<Batch> takeWaiting() {
        cancel();
        List<Batch> waiting = List.copyOf(ready);
        ready.clear();
        return waiting;
    }
}

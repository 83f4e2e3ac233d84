package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SpareBuffers;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.core.plan.Batches;
import io.fastsafetensors.spi.Releases;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/// The reading side of a stream: a thread that starts one batch after the other, as far ahead as the options and the
/// budget allow. Thread-safe.
final class BatchFeeder implements AutoCloseable {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    /// Loads that read at a time: the next one keeps the readers busy while the last blocks of one arrive.
    private static final int READING = 2;

    private final LoadTarget target;
    private final LoadOptions options;
    private final ParsedCheckpoint checkpoint;
    private final Way way;
    private final StreamBudget budget;
    private final List<Batches.Batch> batches;
    private final StreamProgress progress;
    private final long startNanos;
    private final ArrayDeque<Batch> ready = new ArrayDeque<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private Releases releases = new Releases();
    private volatile boolean started;
    private int inMemory;
    private long bytesInMemory;
    private long peakBytes;
    private boolean finished;
    private boolean closed;
    private @Nullable Throwable failure;

    /// A batch that is being loaded or consumed.
    ///
    /// @param weights its tensors
    /// @param bytes device memory that it holds
    record Batch(LoadedWeights weights, long bytes) {
    }

    /// @param way which part of each tensor is loaded
    /// @param batches what each batch loads
    BatchFeeder(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Way way, StreamBudget budget,
            List<Batches.Batch> batches, StreamProgress progress, long startNanos) {
        this.target = target;
        this.options = options;
        this.checkpoint = checkpoint;
        this.way = way;
        this.budget = budget;
        this.batches = batches;
        this.progress = progress;
        this.startNanos = startNanos;
    }

    /// Starts the thread, which has a use of the target, and of the files, until it ends. Once.
    void start() {
        Resources resources = new Resources();
        try {
            resources.add(target.use()::close);
            resources.add(checkpoint.sources().retain()::close);
            Thread.ofPlatform().daemon().name("fst-stream").start(() -> run(resources));
            started = true;
        } catch (RuntimeException | Error e) {
            new Releases().run(resources::close).because(e);
            throw e;
        }
    }

    private void run(Resources resources) {
        try {
            SpareBuffers buffers = budget.buffers(target);
            resources.add(buffers::close);
            feed(buffers);
        } catch (RuntimeException | Error e) {
            synchronized (this) {
                failure = e;
            }
        }
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
            releases.run(done::finish);
        }
    }

    private void feed(SpareBuffers buffers) {
        ArrayDeque<LoadedWeights> reading = new ArrayDeque<>();
        for (Batches.Batch batch : batches) {
            while (reading.size() >= READING) {
                reading.remove().join();
            }
            try (PreparedLoad load = PreparedLoad.of(target, options, checkpoint, way, batch.selection(),
                    budget.ofBatch(batch.bytes()), startNanos).reusing(buffers)) {
                if (!reserve(load.deviceBytes())) {
                    return;
                }
                if (target.isHostAddressable() && !reading.isEmpty()) {
                    // Where readers copy, more of them than cores are in each other's way.
                    reading.getLast().awaitLastBlocks();
                }
                reading.add(start(load));
            }
        }
    }

    private LoadedWeights start(PreparedLoad load) {
        LoadedWeights weights = null;
        try {
            weights = load.start(progress.ofBatch(), null);
            return weights;
        } finally {
            offer(weights, load.deviceBytes());
        }
    }

    private void offer(@Nullable LoadedWeights weights, long bytes) {
        boolean late;
        synchronized (this) {
            late = closed;
            if (weights == null || late) {
                inMemory--;
                bytesInMemory -= bytes;
            } else {
                ready.add(new Batch(weights, bytes));
            }
            notifyAll();
        }
        if (weights != null && late) {
            releasing(weights::close);
        }
    }

    /// Waits until there is room for another batch.
    ///
    /// @return whether it is still wanted
    private synchronized boolean reserve(long bytes) {
        Waits.uninterruptibly(this, () -> closed || (inMemory < budget.batchesInMemory()
                && (inMemory == 0 || bytesInMemory + bytes <= budget.total())));
        if (closed) {
            return false;
        }
        inMemory++;
        bytesInMemory += bytes;
        peakBytes = Math.max(peakBytes, bytesInMemory);
        return true;
    }

    /// The most device memory that batches and their readers held at any time.
    synchronized long peakBytes() {
        return peakBytes;
    }

    /// The next batch; null after the last.
    ///
    /// @throws IllegalStateException if the stream is closed meanwhile
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted
    /// @throws RuntimeException what failed the reading side
    synchronized @Nullable Batch next() {
        Waits.interruptibly(this, () -> !ready.isEmpty() || finished || closed, "the next batch of the stream");
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
    void done(Batch batch) {
        try {
            batch.weights().close();
        } finally {
            synchronized (this) {
                inMemory--;
                bytesInMemory -= batch.bytes();
                notifyAll();
            }
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
            LOG.log(Level.WARNING, "a read of a stream of " + checkpoint.location()
                    + " does not return; its memory is freed when it does");
        }
        Releases late;
        synchronized (this) {
            late = releases;
            releases = new Releases();
        }
        done.run(late::finish).finish();
    }

    /// As [#close()], without waiting.
    void abandon() {
        takeWaiting().forEach(batch -> batch.weights().abandon());
    }

    private synchronized List<Batch> takeWaiting() {
        cancel();
        List<Batch> waiting = List.copyOf(ready);
        ready.clear();
        return waiting;
    }
}

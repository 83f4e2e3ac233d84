package io.fastsafetensors.core.stream;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.load.LoadTarget;
import io.fastsafetensors.core.load.LoadedWeights;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.spi.Releases;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Hands out the tensors of one batch after the other. One thread iterates; any thread closes.
///
/// What it hands out of and frees is in [Batches], which refers to no stream: the leak detector frees the batches of a
/// stream that was collected, and anything that refers to the stream would keep it from being collected.
///
/// Tensors come in the order of the files, except that within a batch those whose bytes have arrived come first. A
/// batch is freed when the tensor after its last one is asked for.
public final class LoadedStream implements TensorStream {
    /// Owned tensors of so many bytes arrive in buffers of their own; smaller ones are copied out of their batch.
    private static final long OWNED_ALONE = 16L << 20;

    private final ParsedCheckpoint checkpoint;
    private final boolean owned;
    private final Batches batches;
    private final LeakDetector.Ticket ticket;
    /// A stream is passed through once: its tensors are gone when the next ones come.
    private boolean iterating;

    private LoadedStream(ParsedCheckpoint checkpoint, boolean owned, Batches batches, LoadOptions options) {
        this.checkpoint = checkpoint;
        this.owned = owned;
        this.batches = batches;
        this.ticket = LeakDetector.watch(this, "stream of " + Printable.escape(checkpoint.location().toString()),
                options.leakDetection(),
                batches::abandon);
    }

    /// Starts reading.
    ///
    /// @throws io.fastsafetensors.error.BudgetException naming a tensor that is larger than the budget
    public static LoadedStream open(LoadTarget target, LoadOptions options, StreamOptions stream,
            ParsedCheckpoint checkpoint, long startNanos) {
        RankLayout layout = RankLayout.local(options, "streams read what they hand out");
        BatchProducer producer = BatchProducer.open(target, options, checkpoint, options.selection(), layout,
                options.deviceBudget(), stream.batchesAhead(), stream.owned() ? OWNED_ALONE : Long.MAX_VALUE,
                startNanos);
        StreamPlan plan = producer.plan();
        LoadedStream opened = new LoadedStream(checkpoint, stream.owned(), new Batches(producer, plan.size(),
                new StatsAccumulator(plan.files(), startNanos), stream.owned()), options);
        try {
            producer.start();
        } catch (RuntimeException | Error e) {
            new Releases().run(opened::close).because(e);
            throw e;
        }
        return opened;
    }

    @Override
    public Checkpoint checkpoint() {
        return checkpoint;
    }

    @Override
    public synchronized Iterator<Tensor> iterator() {
        if (iterating) {
            throw new IllegalStateException("a stream is passed through once");
        }
        iterating = true;
        return new Once();
    }

    /// An inner class on purpose: who iterates keeps the stream from being collected.
    ///
    /// A tensor that is not owned is lent: the next call closes it.
    private final class Once implements Iterator<Tensor> {
        private @Nullable Tensor lent;

        @Override
        public boolean hasNext() {
            return batches.hasNext();
        }

        @Override
        public Tensor next() {
            if (!hasNext()) {
                throw new NoSuchElementException("every tensor was handed out");
            }
            if (lent != null) {
                lent.close();
                lent = null;
            }
            Tensor tensor = batches.next();
            lent = owned ? null : tensor;
            return tensor;
        }
    }

    @Override
    public Tensor get(String name) {
        checkpoint.info(name);
        Tensor tensor = batches.find(name);
        if (tensor == null) {
            throw new TensorNotFoundException(name, "the current batch does not hold it");
        }
        return tensor;
    }

    @Override
    public LoadStats stats() {
        return batches.stats();
    }

    @Override
    public void close() {
        new Releases().run(batches::close).run(ticket::close).finish();
    }

    @Override
    public String toString() {
        return "stream of " + Printable.escape(checkpoint.location().toString());
    }

    /// The consuming side: the batch at hand, and which of its tensors are still to be handed out. Its lock is never held
    /// while something waits for the reading side, so that a close gets through at any moment.
    private static final class Batches {
        private final BatchProducer producer;
        private final StatsAccumulator sum;
        private final boolean owned;
        /// The tensors of the batch at hand that were not handed out, in the order of the files. Guarded by this object,
        /// like what follows.
        private final LinkedHashSet<String> pending = new LinkedHashSet<>();
        /// Open when the first close has freed everything; other closes wait for it.
        private final CountDownLatch freed = new CountDownLatch(1);
        /// Tensors of the stream that were not handed out.
        private long remaining;
        private boolean closed;
        /// Whether a close is freeing, or has freed.
        private boolean freeing;
        /// Whether a failure ended the stream.
        private boolean ended;
        /// Taken by what frees it, so that it is freed once.
        private BatchProducer.@Nullable Batch current;

        /// @param tensors how many there will be in all
        /// @param owned whether they are detached when they are handed out
        Batches(BatchProducer producer, long tensors, StatsAccumulator sum, boolean owned) {
            this.producer = producer;
            this.remaining = tensors;
            this.sum = sum;
            this.owned = owned;
        }

        /// Whether a tensor is still to come.
        ///
        /// @throws IllegalStateException if the stream was closed before its end
        synchronized boolean hasNext() {
            requireOpen(isCutShort(), null);
            return remaining > 0 && !ended;
        }

        /// A stream that was closed after its last tensor ended in order.
        private boolean isCutShort() {
            return closed && remaining > 0 && !ended;
        }

        /// The next tensor: the first of the batch that is there, or else the first. What fails ends the stream, except
        /// that an interrupt ends this call alone. Called by one thread.
        Tensor next() {
            ReaderThreads.requireMayWait("the next tensor of the stream");
            try {
                BatchProducer.Batch batch = batch();
                String name = choose(batch.weights());
                if (isLastOfBatch()) {
                    batch.weights().requireRead();
                }
                Tensor tensor = handedOut(batch, name);
                synchronized (this) {
                    pending.remove(name);
                    remaining--;
                }
                return tensor;
            } catch (LoadInterruptedException e) {
                throw e;
            } catch (RuntimeException | Error e) {
                boolean cancelled;
                synchronized (this) {
                    cancelled = closed;
                    ended = !cancelled;
                }
                new Releases().run(this::close).because(e);
                requireOpen(cancelled, e);
                throw e;
            }
        }

        /// Waits for the tensor's bytes.
        private Tensor handedOut(BatchProducer.Batch batch, String name) {
            CoreTensor tensor = batch.weights().loaded(name);
            return owned ? batch.owned(tensor) : tensor;
        }

        /// The batch that the next tensor is in; the one before is freed.
        private BatchProducer.Batch batch() {
            BatchProducer.Batch batch;
            synchronized (this) {
                batch = current;
                if (batch != null && !pending.isEmpty()) {
                    return batch;
                }
                current = null;
            }
            if (batch != null) {
                sum.add(batch.weights().stats());
                producer.done(batch);
            }
            BatchProducer.Batch next = producer.next();
            if (next == null) {
                throw new AssertionError("the reading side ended " + remaining + " tensors early");
            }
            boolean late;
            synchronized (this) {
                late = closed;
                if (!late) {
                    current = next;
                    pending.addAll(next.weights().names());
                }
            }
            if (late) {
                producer.done(next);
                throw new IllegalStateException("the stream is closed");
            }
            return next;
        }

        /// Whether no other tensor of the batch is to be handed out after the next one. Before that one is, the whole batch
        /// must have been read, with its files unchanged to the end.
        private synchronized boolean isLastOfBatch() {
            return pending.size() == 1;
        }

        /// One that is there, so that nobody waits while there is something to do.
        private synchronized String choose(LoadedWeights weights) {
            for (String name : pending) {
                if (weights.isReady(name)) {
                    return name;
                }
            }
            return pending.getFirst();
        }

        /// A tensor of the batch at hand, null if it does not hold it.
        @Nullable
        Tensor find(String name) {
            BatchProducer.Batch batch;
            synchronized (this) {
                requireOpen(closed, null);
                batch = current;
            }
            return batch == null ? null
                    : whileOpen(() -> batch.weights().names().contains(name) ? handedOut(batch, name) : null);
        }

        LoadStats stats() {
            LoadedWeights weights;
            synchronized (this) {
                requireOpen(isCutShort(), null);
                weights = current == null ? null : current.weights();
            }
            return whileOpen(() -> sum.with(weights == null ? null : weights.stats(), producer.peakBytes()));
        }

        /// What is refused because another thread closed the batch meanwhile is refused in the stream's words.
        private <T extends @Nullable Object> T whileOpen(Supplier<T> work) {
            try {
                return work.get();
            } catch (IllegalStateException e) {
                requireOpen(isClosed(), e);
                throw e;
            }
        }

        private synchronized boolean isClosed() {
            return closed;
        }

        private static void requireOpen(boolean isClosed, @Nullable Throwable cause) {
            if (isClosed) {
                throw new IllegalStateException("the stream is closed", cause);
            }
        }

        /// Cancels and frees. Idempotent, from any thread; every caller returns when everything is freed, or after as
        /// long as a close waits. On a reader's own thread, which cannot wait for itself, it returns at once.
        ///
        /// @throws RuntimeException what could not be freed, to the first caller; everything else is
        void close() {
            end(!ReaderThreads.isReading());
        }

        /// As [#close()], without waiting.
        void abandon() {
            end(false);
        }

        /// The first caller frees; the batch at hand is taken under the lock, so that it is freed once.
        private void end(boolean waits) {
            boolean first;
            BatchProducer.Batch mine;
            synchronized (this) {
                closed = true;
                first = !freeing;
                freeing = true;
                mine = current;
                current = null;
            }
            producer.cancel();
            if (first) {
                free(mine, waits);
            } else if (waits) {
                Waits.toClose(freed);
            }
        }

        /// @param waits whether to wait for reads; where not, the last reader of each batch frees it
        private void free(BatchProducer.@Nullable Batch batch, boolean waits) {
            Releases releases = new Releases();
            if (batch != null) {
                releases.run(() -> sum.add(batch.weights().stats()));
                releases.run(waits ? () -> producer.done(batch) : batch.weights()::abandon);
            }
            releases.run(waits ? producer::close : producer::abandon);
            freed.countDown();
            releases.finish();
        }
    }
}

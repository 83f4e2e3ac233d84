package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.error.LoadInterruptedException;
import io.fastsafetensors.spi.Releases;
import java.util.LinkedHashSet;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// The consuming side of a stream: the batch at hand, and which of its tensors are still to be handed out.
final class BatchIterator {
    private final BatchProducer feeder;
    private final StatsAccumulator sum;
    private final boolean owned;
    private final LinkedHashSet<String> pending = new LinkedHashSet<>();
    private final CountDownLatch freed = new CountDownLatch(1);
    private long remaining;
    private boolean closed;
    private boolean freeing;
    private boolean ended;
    private BatchProducer.@Nullable Batch current;

    /// @param tensors how many there will be in all
    /// @param owned whether they are detached when they are handed out
    BatchIterator(BatchProducer feeder, long tensors, StatsAccumulator sum, boolean owned) {
        this.feeder = feeder;
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

    private boolean isCutShort() {
        return closed && remaining > 0 && !ended;
    }

    /// The next tensor: the first of the batch that is there, or else the first. What fails ends the stream, except that an
    /// interrupt ends this call alone.
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
            feeder.done(batch);
        }
        BatchProducer.Batch next = feeder.next();
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
            feeder.done(next);
            throw new IllegalStateException("the stream is closed");
        }
        return next;
    }

    private synchronized boolean isLastOfBatch() {
        return pending.isEmpty();
    }

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
        return whileOpen(() -> sum.with(weights == null ? null : weights.stats(), feeder.peakBytes()));
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

    /// Cancels and frees. Idempotent, from any thread; every caller returns when everything is freed, or after as long as a
    /// close waits. On a reader's own thread, which cannot wait for itself, it returns at once.
    ///
    /// @throws RuntimeException what could not be freed, to the first caller; everything else is
    void close() {
        end(!ReaderThreads.isReading());
    }

    /// As [#close()], without waiting.
    void abandon() {
        end(false);
    }

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
        feeder.cancel();
        if (first) {
            free(mine, waits);
        } else if (waits) {
            Waits.toClose(freed);
        }
    }

    private void free(BatchProducer.@Nullable Batch batch, boolean waits) {
        Releases releases = new Releases();
        if (batch != null) {
            releases.run(() -> sum.add(batch.weights().stats()));
            releases.run(waits ? () -> feeder.done(batch) : batch.weights()::abandon);
        }
        releases.run(waits ? feeder::close : feeder::abandon);
        freed.countDown();
        releases.finish();
    }
}

package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.spi.Releases;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/// Hands out the tensors of one batch after the other. One thread iterates; any thread closes.
final class LoadedStream implements TensorStream {
    /// Owned tensors of so many bytes arrive in buffers of their own; smaller ones are copied out of their batch.
    private static final long OWNED_ALONE = 16L << 20;

    private final ParsedCheckpoint checkpoint;
    private final boolean owned;
    private final BatchIterator consumer;
    private final LeakDetector.Ticket ticket;
    private boolean iterating;

    private LoadedStream(ParsedCheckpoint checkpoint, boolean owned, BatchIterator consumer, LoadOptions options) {
        this.checkpoint = checkpoint;
        this.owned = owned;
        this.consumer = consumer;
        this.ticket = LeakDetector.watch(this, "stream of " + Printable.escape(checkpoint.location().toString()),
                options.leakDetection(),
                consumer::abandon);
    }

    /// Starts reading.
    ///
    /// @throws io.fastsafetensors.error.BudgetException naming a tensor that is larger than the budget
    static LoadedStream open(LoadTarget target, LoadOptions options, StreamOptions stream,
            ParsedCheckpoint checkpoint, long startNanos) {
        RankLayout way = RankLayout.local(options, "streams read what they hand out");
        BatchProducer feeder = BatchProducer.open(target, options, checkpoint, options.selection(), way,
                options.deviceBudget(), stream.batchesAhead(), stream.owned() ? OWNED_ALONE : Long.MAX_VALUE,
                startNanos);
        StreamPlan plan = feeder.plan();
        LoadedStream opened = new LoadedStream(checkpoint, stream.owned(), new BatchIterator(feeder, plan.size(),
                new StatsAccumulator(plan.files(), startNanos), stream.owned()), options);
        try {
            feeder.start();
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
    private final class Once implements Iterator<Tensor> {
        private @Nullable Tensor lent;

        @Override
        public boolean hasNext() {
            return consumer.hasNext();
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
            Tensor tensor = consumer.next();
            lent = owned ? null : tensor;
            return tensor;
        }
    }

    @Override
    public Tensor get(String name) {
        checkpoint.info(name);
        Tensor tensor = consumer.find(name);
        if (tensor == null) {
            throw new TensorNotFoundException(name, "the current batch does not hold it");
        }
        return tensor;
    }

    @Override
    public LoadStats stats() {
        return consumer.stats();
    }

    @Override
    public void close() {
        new Releases().run(consumer::close).run(ticket::close).finish();
    }

    @Override
    public String toString() {
        return "stream of " + Printable.escape(checkpoint.location().toString());
    }
}

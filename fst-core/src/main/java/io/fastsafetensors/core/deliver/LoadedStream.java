package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.place.Routing;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.spi.Releases;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Hands out the tensors of one batch after the other. One thread iterates; any thread closes.
final class LoadedStream implements TensorStream {
    private final ParsedCheckpoint checkpoint;
    private final boolean owned;
    private final BatchConsumer consumer;
    private final LeakDetector.Ticket ticket;
    private boolean iterating;

    private LoadedStream(ParsedCheckpoint checkpoint, boolean owned, BatchConsumer consumer, LoadOptions options) {
        this.checkpoint = checkpoint;
        this.owned = owned;
        this.consumer = consumer;
        this.ticket = LeakDetector.watch(this, "stream of " + checkpoint.location(), options.leakDetection(),
                consumer::abandon);
    }

    /// Starts reading.
    ///
    /// @throws io.fastsafetensors.error.BudgetException naming a tensor that is larger than the budget
    static LoadedStream open(LoadTarget target, LoadOptions options, StreamOptions stream,
            ParsedCheckpoint checkpoint, long startNanos) {
        Way way = Way.local(options, "streams read what they hand out");
        ReadPlan whole;
        try (Routing routing = target.route(checkpoint)) {
            whole = target.plan(checkpoint, routing, options.selection(), way);
        }
        StreamBudget budget = StreamBudget.of(target, options, stream, whole);
        BatchFeeder feeder = new BatchFeeder(target, options, checkpoint, way, budget,
                budget.cut(checkpoint, target, options.selection(), way),
                new StreamProgress(options.progress(), whole.bytesToRead()),
                startNanos);
        Set<String> names = new LinkedHashSet<>();
        whole.planned().forEach(file -> file.tensors().forEach(tensor -> names.add(tensor.info().name())));
        LoadedStream opened = new LoadedStream(checkpoint, stream.owned(),
                new BatchConsumer(feeder, names.size(), new StatsSum(whole, startNanos), stream.owned()), options);
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
        return "stream of " + checkpoint.location();
    }
}

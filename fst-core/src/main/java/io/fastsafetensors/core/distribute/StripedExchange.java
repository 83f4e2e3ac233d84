package io.fastsafetensors.core.distribute;

import io.fastsafetensors.core.group.Agreement;
import io.fastsafetensors.core.place.Arrivals;
import io.fastsafetensors.core.place.Exchange;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.CopyStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Blocks dealt to ranks in turn, in the plan's order. A round is one block of each rank; some rounds together are a
/// batch. All tell each other when their blocks of a batch have landed, or why they will not; then the batch is moved, so
/// that nobody enters a collective that another rank will not come to.
public final class StripedExchange implements Exchange {
    /// Rounds of a batch, once the first small ones have brought the first tensors: telling each other costs as much as
    /// moving a few MiB.
    private static final int MOST_ROUNDS = 16;

    private final ReadPlan plan;
    private final ProcessGroup group;
    private final Agreement agreement;
    private final Supplier<CopyStream> streams;
    private final Runnable ended;
    private final Arrivals landed;
    private final CompletableFuture<Boolean> begin = new CompletableFuture<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final LongAdder received = new LongAdder();

    /// @param plan the same on every rank
    /// @param agreement used by nobody else until the exchange is closed
    /// @param streams opens a stream of the device
    /// @param ended told once when it is closed
    public StripedExchange(ReadPlan plan, ProcessGroup group, Agreement agreement, Supplier<CopyStream> streams,
            Runnable ended) {
        this.plan = plan;
        this.group = group;
        this.agreement = agreement;
        this.streams = streams;
        this.ended = ended;
        this.landed = new Arrivals(plan.blocks().size());
    }

    @Override
    public boolean reads(int position) {
        return position % group.size() == group.rank();
    }

    @Override
    public void landed(int block) {
        landed.arrive(block);
    }

    @Override
    public void failed(RuntimeException why) {
        landed.fail(why);
    }

    /// Every rank has started its load: blocks are exchanged from now on.
    public void begin() {
        begin.complete(true);
    }

    @Override
    public void abandon() {
        begin.complete(false);
    }

    @Override
    public void run(Load load) {
        int blocks = plan.blocks().size();
        if (!begin.join() || blocks == 0) {
            return;
        }
        try (Opened opened = new Opened()) {
            int rounds = 1;
            int end;
            for (int first = 0; first < blocks; first = end) {
                end = Math.min(blocks, first + rounds * group.size());
                int from = first;
                int to = end;
                agreement.reach("the exchange of blocks " + first + " to " + (end - 1), () -> {
                    opened.mover();
                    awaitOwn(load, from, to);
                });
                for (int position = first; position < end; position += group.size()) {
                    opened.mover().move(load, position, Math.min(end, position + group.size()));
                }
                rounds = Math.min(MOST_ROUNDS, 2 * rounds);
            }
            opened.mover().finish(load);
        }
    }

    /// The stream that moves, opened when the first step is made ready. Used by one thread.
    private final class Opened implements AutoCloseable {
        private @Nullable RoundMover mover;

        RoundMover mover() {
            RoundMover opened = mover == null ? new RoundMover(plan, group, streams.get(), received) : mover;
            mover = opened;
            return opened;
        }

        @Override
        public void close() {
            if (mover != null) {
                mover.close();
            }
        }
    }

    /// Waits until this rank's blocks have landed and the places of the others' are there.
    private void awaitOwn(Load load, int first, int end) {
        for (int position = first; position < end; position++) {
            int block = plan.inOrder(position);
            if (load.bufferOf(block) == null) {
                landed.requireSuccess();
                throw new IllegalStateException("the load was stopped");
            }
            if (reads(position)) {
                landed.await(block, block);
            }
        }
    }

    @Override
    public long bytesReceived() {
        return received.sum();
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            ended.run();
        }
    }
}

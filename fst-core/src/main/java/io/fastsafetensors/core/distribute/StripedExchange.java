package io.fastsafetensors.core.distribute;

import io.fastsafetensors.core.group.Consensus;
import io.fastsafetensors.core.transfer.BlockCompletion;
import io.fastsafetensors.core.transfer.BlockExchange;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.CopyStream;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A plan's blocks, shared window by window: each rank reads its run of a window, all tell each other when theirs has landed, or
/// why it will not; then the window is moved, so that nobody enters a collective that another rank will not come to. Reading
/// goes on meanwhile.
public final class StripedExchange implements BlockExchange {
    private final ReadPlan plan;
    private final ProcessGroup group;
    private final Consensus agreement;
    private final Supplier<CopyStream> streams;
    private final Runnable ended;
    private final Windows windows;
    private final BlockCompletion completion;
    private final CompletableFuture<Boolean> begin = new CompletableFuture<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final LongAdder received = new LongAdder();

    /// @param plan the same on every rank
    /// @param agreement used by nobody else until the exchange is closed
    /// @param streams opens a stream of the device
    /// @param ended told once when it is closed
    public StripedExchange(ReadPlan plan, ProcessGroup group, Consensus agreement, Supplier<CopyStream> streams,
            Runnable ended) {
        this.plan = plan;
        this.group = group;
        this.agreement = agreement;
        this.streams = streams;
        this.ended = ended;
        this.windows = Windows.of(plan, group.size(), Windows.mostBytes());
        this.completion = new BlockCompletion(plan.blocks().size());
    }

    @Override
    public int[] reads() {
        return windows.blocksOf(group.rank());
    }

    @Override
    public void arrived(int block) {
        completion.arrive(block);
    }

    @Override
    public void failed(RuntimeException why) {
        completion.fail(why);
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
        if (!begin.join()) {
            return;
        }
        try (Opened opened = new Opened()) {
            for (int window = 0; window < windows.size(); window++) {
                int mine = window;
                agreement.reach("the exchange of blocks " + windows.start(window) + " to "
                        + (windows.start(window + 1) - 1), () -> {
                            opened.mover();
                            awaitOwn(load, mine);
                        });
                opened.mover().move(load, window);
            }
            if (windows.size() > 0) {
                opened.mover().finish(load);
            }
        }
    }

    /// The stream that moves, opened when the first step is made ready. Used by one thread.
    private final class Opened implements AutoCloseable {
        private @Nullable WindowMover mover;

        WindowMover mover() {
            WindowMover opened =
                    mover == null ? new WindowMover(plan, windows, group, streams.get(), received) : mover;
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

    /// Waits until this rank's blocks have arrived and the places of the others' are there.
    private void awaitOwn(Load load, int window) {
        for (Windows.Piece piece : windows.pieces(window)) {
            if (load.bufferOf(piece.first()) == null) {
                completion.requireSuccess();
                throw new IllegalStateException("the load was stopped");
            }
            if (piece.rank() == group.rank()) {
                completion.await(piece.first(), piece.end() - 1);
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

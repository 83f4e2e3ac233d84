package io.fastsafetensors.core.distribute;

import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.group.Consensus;
import io.fastsafetensors.core.jfr.Recorder;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.transfer.BlockCompletion;
import io.fastsafetensors.core.transfer.BlockExchange;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A plan's blocks, shared window by window: each rank reads its run of a window, all tell each other when theirs has
/// landed, or why it will not; then the window is moved, so that nobody enters a collective that another rank will not
/// come to. Reading goes on meanwhile.
///
/// Used by three kinds of threads: readers report blocks, the thread of the exchange runs it, and the
/// thread that starts or closes the load says so. What a block is read for is decided by the plan and the number of ranks alone, so no rank
/// asks another.
public final class StripedExchange implements BlockExchange {
    private final ReadPlan plan;
    private final ProcessGroup group;
    private final Consensus agreement;
    private final Supplier<CopyStream> streams;
    private final Runnable ended;
    private final Windows windows;
    /// The blocks that this rank has read; those of others are not noted here.
    private final BlockCompletion completion;
    /// Whether to exchange, known when every rank has begun its load or one could not.
    private final CompletableFuture<Boolean> begin = new CompletableFuture<>();
    /// The end is told once, however often and by whom it is closed.
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
        this.completion = new BlockCompletion(plan, ProgressListener.NONE);
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
        try (Mover mover = new Mover(load)) {
            for (int window = 0; window < windows.size(); window++) {
                int mine = window;
                agreement.reach("the exchange of blocks " + windows.start(window) + " to "
                        + (windows.start(window + 1) - 1), () -> {
                            mover.open();
                            awaitOwn(load, mine);
                            mover.begin(mine);
                        });
                mover.move(window);
            }
            mover.finish();
        }
    }

    /// Waits until this rank's blocks have arrived and the places of the others' are there.
    ///
    /// @throws RuntimeException why this rank's load has failed; it is told to the others
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

    /// Moves windows from the ranks that have read them to the others, each in one operation in place. Some may be under way
    /// while the next one is read. Used by the thread that runs the exchange.
    private final class Mover implements AutoCloseable {
        /// Windows whose data may be under way: enough for the link to be busy, few enough for tensors to be ready soon.
        private static final int MOST_IN_FLIGHT = 4;
        private static final long NANOS_PER_MICRO = 1000;

        private final Load load;
        private final ReadPlan.Targets targets = plan.targets();
        /// Windows under way, the oldest first, which is the order in which they are waited for.
        private final ArrayDeque<Moving> moving = new ArrayDeque<>(MOST_IN_FLIGHT + 1);
        private @Nullable CopyStream stream;
        /// Of the window that is waited for, from the moment when this rank's part had arrived.
        private Span span = Span.UNRECORDED;

        /// A window whose data is under way.
        ///
        /// @param agreedNanos when every rank had its part, in `System.nanoTime()`
        private record Moving(int window, PendingCollective work, Span span, long agreedNanos) {
        }

        Mover(Load load) {
            this.load = load;
        }

        /// Opens the stream, once. A part of the first step, so that a rank that has none fails on all.
        void open() {
            if (stream == null) {
                stream = streams.get();
            }
        }

        /// This rank's part of a window has arrived.
        void begin(int window) {
            span = Recorder.exchange(windows.start(window), windows.start(window + 1) - windows.start(window));
        }

        /// Moves a window that all ranks have read, and whose places are there.
        void move(int window) {
            long agreed = System.nanoTime();
            List<Windows.Piece> pieces = windows.pieces(window);
            List<RankSlice> slices = new ArrayList<>(pieces.size());
            for (Windows.Piece piece : pieces) {
                long[] range = targets.range(piece.first(), piece.end());
                long bytes = range[1] - range[0];
                if (bytes > 0) {
                    slices.add(new RankSlice(piece.rank(), new BufferSlice(buffer(piece.first()), range[0], bytes)));
                    received.add(piece.rank() == group.rank() ? 0 : bytes);
                }
            }
            moving.add(new Moving(window, group.allGather(slices, Objects.requireNonNull(stream)), span, agreed));
            arriveDownTo(MOST_IN_FLIGHT);
        }

        /// Allocated by now: the ranks have agreed that it is.
        private DeviceBuffer buffer(int block) {
            DeviceBuffer buffer = load.bufferOf(block);
            if (buffer == null) {
                throw new AssertionError("a block without a place in a window that all ranks agreed on");
            }
            return buffer;
        }

        /// Waits until at most so many are under way; those that are done already arrive in any case.
        private void arriveDownTo(int most) {
            while (!moving.isEmpty() && (moving.size() > most || moving.element().work().isDone())) {
                Moving oldest = moving.element();
                oldest.work().await();
                moving.remove();
                oldest.work().close();
                if (!oldest.span().equals(Span.UNRECORDED)) {
                    oldest.span().finish("in place " + (System.nanoTime() - oldest.agreedNanos()) / NANOS_PER_MICRO
                            + " µs after every rank had its part");
                }
                for (int block = windows.start(oldest.window()); block < windows.start(oldest.window() + 1); block++) {
                    load.arrived(block);
                }
            }
        }

        /// Waits until everything moved is in place.
        void finish() {
            arriveDownTo(0);
        }

        /// Waits for what is under way, by way of the group, which ends what will never arrive.
        @Override
        public void close() {
            Releases releases = new Releases();
            for (Moving each : moving) {
                releases.run(each.work()::await).run(each.work()::close);
            }
            CopyStream opened = stream;
            if (opened != null) {
                releases.run(opened::close);
            }
            releases.finish();
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

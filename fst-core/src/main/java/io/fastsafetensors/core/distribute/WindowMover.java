package io.fastsafetensors.core.distribute;

import io.fastsafetensors.core.transfer.BlockExchange;
import io.fastsafetensors.core.plan.BlockTargets;
import io.fastsafetensors.core.plan.ReadPlan;
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
import java.util.concurrent.atomic.LongAdder;

/// Moves windows from the ranks that have read them to the others, each in one operation in place. Some may be under way while
/// the next one is read. Used by one thread.
final class WindowMover implements AutoCloseable {
    /// Windows whose data may be under way.
    private static final int MOST_IN_FLIGHT = 4;

    private final Windows windows;
    private final BlockTargets targets;
    private final ProcessGroup group;
    private final CopyStream stream;
    private final LongAdder received;
    private final ArrayDeque<Moving> moving = new ArrayDeque<>(MOST_IN_FLIGHT + 1);

    /// A window whose data is under way.
    private record Moving(int window, PendingCollective work) {
    }

    /// @param stream taken over
    /// @param received gets the bytes that come from other ranks
    WindowMover(ReadPlan plan, Windows windows, ProcessGroup group, CopyStream stream, LongAdder received) {
        this.windows = windows;
        this.targets = new BlockTargets(plan);
        this.group = group;
        this.stream = stream;
        this.received = received;
    }

    /// Moves a window that all ranks have read, and whose places are there.
    void move(BlockExchange.Load load, int window) {
        List<Windows.Piece> pieces = windows.pieces(window);
        List<RankSlice> slices = new ArrayList<>(pieces.size());
        for (Windows.Piece piece : pieces) {
            long[] range = targets.range(piece.first(), piece.end());
            long bytes = range[1] - range[0];
            if (bytes > 0) {
                slices.add(new RankSlice(piece.rank(), new BufferSlice(buffer(load, piece.first()), range[0], bytes)));
                received.add(piece.rank() == group.rank() ? 0 : bytes);
            }
        }
        moving.add(new Moving(window, group.allGather(slices, stream)));
        arriveDownTo(load, MOST_IN_FLIGHT);
    }

    private static DeviceBuffer buffer(BlockExchange.Load load, int block) {
        DeviceBuffer buffer = load.bufferOf(block);
        if (buffer == null) {
            throw new AssertionError("a block without a place in a window that all ranks agreed on");
        }
        return buffer;
    }

    private void arriveDownTo(BlockExchange.Load load, int most) {
        while (!moving.isEmpty() && (moving.size() > most || moving.element().work().isDone())) {
            Moving oldest = moving.element();
            oldest.work().await();
            moving.remove();
            oldest.work().close();
            for (int block = windows.start(oldest.window()); block < windows.start(oldest.window() + 1); block++) {
                load.arrived(block);
            }
        }
    }

    /// Waits until everything moved is in place.
    void finish(BlockExchange.Load load) {
        arriveDownTo(load, 0);
    }

    /// Waits for what is under way, by way of the group, which ends what will never arrive.
    @Override
    public void close() {
        Releases releases = new Releases();
        for (Moving each : moving) {
            releases.run(each.work()::await).run(each.work()::close);
        }
        releases.run(stream::close).finish();
    }
}

package io.fastsafetensors.core.distribute;

import io.fastsafetensors.core.place.Exchange;
import io.fastsafetensors.core.plan.BlockTargets;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.util.ArrayDeque;
import java.util.concurrent.atomic.LongAdder;

/// Moves rounds of blocks, one of each rank, from the ranks that have read them to the others: by one in-place all-gather
/// where the blocks are neighbours of one size, else by a broadcast each. Used by one thread.
final class RoundMover implements AutoCloseable {
    /// Rounds whose data may be under way.
    private static final int MOST_IN_FLIGHT = 8;

    private final ReadPlan plan;
    private final BlockTargets targets;
    private final ProcessGroup group;
    private final CopyStream stream;
    private final LongAdder received;
    private final ArrayDeque<Round> moving = new ArrayDeque<>(MOST_IN_FLIGHT + 1);
    private final int[] blocks;

    /// A round whose data is under way.
    ///
    /// @param first the position of its first block
    /// @param end the position after its last one
    /// @param fence passes when it is in place
    private record Round(int first, int end, Fence fence) {
    }

    /// @param stream taken over
    /// @param received gets the bytes that come from other ranks
    RoundMover(ReadPlan plan, ProcessGroup group, CopyStream stream, LongAdder received) {
        this.plan = plan;
        this.targets = new BlockTargets(plan);
        this.group = group;
        this.stream = stream;
        this.received = received;
        this.blocks = new int[group.size()];
    }

    /// Moves the blocks at positions `[first, end)`, whose places are there.
    void move(Exchange.Load load, int first, int end) {
        boolean sameFile = end - first == blocks.length;
        for (int i = 0; i < end - first; i++) {
            blocks[i] = plan.inOrder(first + i);
            sameFile &= plan.blocks().file(blocks[i]) == plan.blocks().file(blocks[0]);
        }
        if (sameFile && targets.areEqualNeighbours(blocks)) {
            gather(load);
        } else {
            for (int root = 0; root < end - first; root++) {
                broadcast(load, blocks[root], root);
            }
        }
        moving.add(new Round(first, end, stream.fence()));
        arriveDownTo(load, MOST_IN_FLIGHT);
    }

    private void gather(Exchange.Load load) {
        long bytes = targets.bytes(blocks[0]);
        DeviceBuffer buffer = buffer(load, blocks[0]);
        BufferSlice all = new BufferSlice(buffer, targets.start(blocks[0]), bytes * blocks.length);
        group.allGather(all.part(group.rank() * bytes, bytes), all, stream);
        received.add(bytes * (blocks.length - 1));
    }

    private void broadcast(Exchange.Load load, int block, int root) {
        long bytes = targets.bytes(block);
        if (bytes > 0) {
            group.broadcast(new BufferSlice(buffer(load, block), targets.start(block), bytes), root, stream);
            received.add(root == group.rank() ? 0 : bytes);
        }
    }

    private static DeviceBuffer buffer(Exchange.Load load, int block) {
        DeviceBuffer buffer = load.bufferOf(block);
        if (buffer == null) {
            throw new AssertionError("a block without a place in a batch that all ranks agreed on");
        }
        return buffer;
    }

    private void arriveDownTo(Exchange.Load load, int most) {
        while (!moving.isEmpty() && (moving.size() > most || moving.element().fence().isPassed())) {
            Round oldest = moving.element();
            oldest.fence().await();
            oldest.fence().close();
            moving.remove();
            for (int position = oldest.first(); position < oldest.end(); position++) {
                load.arrived(plan.inOrder(position));
            }
        }
    }

    /// Waits until everything moved is in place.
    void finish(Exchange.Load load) {
        arriveDownTo(load, 0);
    }

    /// Waits for what is under way.
    @Override
    public void close() {
        stream.close();
        moving.forEach(round -> round.fence().close());
    }
}

package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.jfr.Span;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// The blocks of one reader that are under way to the device, oldest first, and the slots they fly from.
///
/// Copies of one stream finish in the order in which they were submitted, so only the oldest is ever waited for. The reader
/// adds a block right after its fence; from then on this owns the fence and the slot.
///
/// The transfer that adds blocks bounds their number with [#reduceTo]. A load is told of a block here and nowhere
/// else where copies are asynchronous: not when the copy was submitted, but when its fence has passed.
final class CopiesInFlight {
    private final LoadContext load;
    /// Sized for all that may be under way, so that adding a block allocates nothing but its record.
    private final ArrayDeque<Flight> flying;

    /// @param slot what goes back to the pool when the fence has passed, if anything
    private record Flight(int block, Fence fence, @Nullable StagingBuffer slot, Span span) {
    }

    CopiesInFlight(LoadContext load) {
        this.load = load;
        this.flying = new ArrayDeque<>(load.blocksInFlight() + 1);
    }

    boolean isEmpty() {
        return flying.isEmpty();
    }

    /// @param span that of the copy; finished when the fence has passed
    void add(int block, Fence fence, @Nullable StagingBuffer slot, Span span) {
        flying.add(new Flight(block, fence, slot, span));
    }

    /// Completes what has arrived, waiting for nothing.
    void completeArrived() {
        while (!flying.isEmpty() && flying.element().fence().isPassed()) {
            complete(flying.remove());
        }
    }

    /// Waits until at most `most` are under way.
    void reduceTo(int most) {
        while (flying.size() > most) {
            completeOldest();
        }
        completeArrived();
    }

    /// Waits for the oldest.
    ///
    /// The time that passes counts as time for moving blocks: the device is what is waited for.
    void completeOldest() {
        long before = System.nanoTime();
        flying.element().fence().await();
        load.placeNanos().add(System.nanoTime() - before);
        complete(flying.remove());
    }

    /// The slot goes back before the load is told: what the load is told may throw, where the file has changed.
    private void complete(Flight flight) {
        flight.span().finish("in place");
        StagingBuffer slot = flight.slot();
        try {
            flight.fence().close();
        } finally {
            if (slot != null) {
                load.slots().give(slot, true);
            }
        }
        load.arrived(flight.block());
    }

    /// @param idle whether the slot may be filled again
    private void release(Flight flight, boolean idle, Releases releases) {
        releases.run(flight.fence()::close);
        StagingBuffer slot = flight.slot();
        if (slot != null) {
            releases.run(() -> load.slots().give(slot, idle));
        }
    }

    /// Gives fences and slots back without completing anything.
    ///
    /// Their blocks do not count as arrived: whether the copies succeeded is unknown. A slot that a copy may still
    /// read is not given to another reader.
    ///
    /// @param idle whether nothing is under way on the stream any more
    void abandon(boolean idle, Releases releases) {
        while (!flying.isEmpty()) {
            release(flying.remove(), idle, releases);
        }
    }
}

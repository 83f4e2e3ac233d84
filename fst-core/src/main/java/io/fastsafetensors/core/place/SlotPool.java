package io.fastsafetensors.core.place;

import io.fastsafetensors.core.memory.Registry;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.Uninterruptibly;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.StagingBuffer;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The page-locked slots of one device and block size, shared by every load of the process, with the streams that carry
/// them. Slots are made in the background, one after the other, so that the first copy starts with the first slot; they
/// stay for the next load until the last loader of the device is closed. Thread-safe.
public final class SlotPool {
    /// The most page-locked memory of a pool: 12 readers with two slots of 6 MiB, and a third as much again for concurrent
    /// loads. More does not fit into a processor's cache, and then each byte goes through memory twice more.
    private static final long MOST_BYTES = 192L << 20;
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    private static final Registry<Key, SlotPool> POOLS = new Registry<>(SlotPool::new, SlotPool::dispose);

    private final Key key;
    private final ArrayDeque<StagingBuffer> free = new ArrayDeque<>();
    private final ArrayDeque<CopyStream> idleStreams = new ArrayDeque<>();
    private int wanted;
    private int made;
    private int loads;
    private boolean disposed;
    private @Nullable Thread maker;
    private @Nullable RuntimeException failure;

    private record Key(SharedBackend backend, long slotBytes) {
    }

    private SlotPool(Key key) {
        this.key = key;
        key.backend().retain();
    }

    /// One hold on the pool of a device; ended by [#release()].
    ///
    /// @param backend the device, held by the caller
    public static SlotPool open(SharedBackend backend, long slotBytes) {
        return POOLS.hold(new Key(backend, slotBytes));
    }

    /// Ends one hold; the last frees the slots.
    public void release() {
        POOLS.release(key);
    }

    /// One hold more.
    public SlotPool retain() {
        return POOLS.hold(key);
    }

    /// A load begins: from now on slots stay. Ended by [#end()].
    synchronized void begin(int slots) {
        loads++;
        if (slots > 0) {
            reserve(slots);
        }
    }

    /// A load has ended and given its slots back.
    synchronized void end() {
        loads--;
    }

    /// Sees to it that there will be this many slots, as far as the bound allows, and at least one.
    public synchronized void reserve(int slots) {
        wanted = Math.max(wanted, Math.clamp(MOST_BYTES / key.slotBytes(), 1, slots));
        if (made < wanted && maker == null) {
            failure = null;
            maker = Thread.ofPlatform().daemon().name("fst-slots").start(this::make);
        }
    }

    private void make() {
        while (true) {
            synchronized (this) {
                if (disposed || made >= wanted) {
                    maker = null;
                    return;
                }
            }
            try {
                StagingBuffer slot = key.backend().get().allocateStaging(key.slotBytes());
                synchronized (this) {
                    made++;
                    free.push(slot);
                    notifyAll();
                }
            } catch (RuntimeException e) {
                stopMaking(e);
                return;
            } catch (Error e) {
                stopMaking(new BackendException("cannot make a staging slot: " + e,
                        Where.backend(key.backend().get().name()), e));
                return;
            }
        }
    }

    private synchronized void stopMaking(RuntimeException why) {
        LOG.log(Level.WARNING, "staging goes on with " + made + " of " + wanted + " slots: " + why.getMessage());
        failure = why;
        wanted = made;
        maker = null;
        notifyAll();
    }

    /// A free slot, null if there is none now.
    synchronized @Nullable StagingBuffer poll() {
        return free.poll();
    }

    /// A free slot; waits for one.
    ///
    /// @param stopped whether the caller does not want it any more; looked at when [#wakeUp()] is called
    /// @return null if stopped
    /// @throws RuntimeException why no slot can be made, if there is none at all
    synchronized @Nullable StagingBuffer take(BooleanSupplier stopped) {
        Uninterruptibly.await(this,
                () -> !free.isEmpty() || stopped.getAsBoolean() || (made == 0 && failure != null));
        if (free.isEmpty() && !stopped.getAsBoolean() && failure != null) {
            throw failure;
        }
        return free.poll();
    }

    /// Gives a slot back; no copy from it is under way.
    synchronized void give(StagingBuffer slot) {
        free.push(slot);
        notifyAll();
    }

    /// Makes those who wait ask whether they still want to.
    synchronized void wakeUp() {
        notifyAll();
    }

    /// A stream that nobody else uses.
    CopyStream takeStream() {
        CopyStream idle;
        synchronized (this) {
            idle = idleStreams.poll();
        }
        return idle != null ? idle : key.backend().get().openCopyStream();
    }

    /// Gives a stream back when its work is done. One whose work failed is closed.
    ///
    /// @throws RuntimeException the failure
    void giveStream(CopyStream stream) {
        boolean sound = false;
        try {
            stream.synchronize();
            sound = true;
        } finally {
            if (sound) {
                synchronized (this) {
                    idleStreams.push(stream);
                }
            } else {
                stream.close();
            }
        }
    }

    /// The page-locked bytes held now.
    public synchronized long bytes() {
        return made * key.slotBytes();
    }

    /// Frees the slots unless a load is running; they are made again when one wants them.
    public void trim() {
        List<StagingBuffer> idle;
        synchronized (this) {
            if (loads > 0) {
                return;
            }
            idle = new ArrayList<>(free);
            free.clear();
            made -= idle.size();
            wanted = made;
        }
        idle.forEach(StagingBuffer::close);
    }

    private void dispose() {
        Thread making;
        synchronized (this) {
            disposed = true;
            making = maker;
        }
        if (making != null) {
            Uninterruptibly.run(making::join);
        }
        trim();
        idleStreams.forEach(CopyStream::close);
        idleStreams.clear();
        key.backend().release();
    }
}

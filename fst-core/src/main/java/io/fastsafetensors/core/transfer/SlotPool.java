package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.memory.ProcessLimit;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedResources;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.SystemMemory;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// A pool of the page-locked slots of one device and block size, shared by every load of the process. Slots are made in
/// the background, one after the other, so that the first copy starts with the first slot; they stay for the next load
/// until the last loader of the device is closed. Thread-safe.
///
/// Two bounds: [#MOST_BYTES] for a pool, and one for all pools of the process ([#mostBytesOfAll]), to which a pool
/// that makes a slot holds itself by taking idle ones from others. The first slot of a pool is made in any case: a
/// load that gets none would wait for ever.
///
/// Free slots are a stack, so that the one filled last, which is still in the processor's cache, is filled next.
/// Locks: this object guards the slots and the counts; no pool is called while another one's lock is held, and
/// page-locked memory is allocated and freed outside the lock, because that takes milliseconds.
public final class SlotPool {
    /// The most page-locked memory of a pool: 12 readers with two slots of 6 MiB, and a third as much again for concurrent
    /// loads. More does not fit into a processor's cache, and then each byte goes through memory twice more.
    private static final long MOST_BYTES = 192L << 20;
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    private static final String MOST_PROPERTY = "fst.pageLockedBytes";
    /// The most page-locked memory of all pools is that of eight devices, where the machine is large.
    private static final int DEVICES = 8;
    private static final int MEMORY_PART = 16;
    /// The pools of the process, so that one may take slots from another that does not use them.
    private static final Set<SlotPool> ALL = ConcurrentHashMap.newKeySet();
    /// Added before a slot is made and taken off after it was freed: it never says less than there is.
    private static final AtomicLong BYTES_OF_ALL = new AtomicLong();
    private static final SharedResources<Key, SlotPool> POOLS = new SharedResources<>(SlotPool::new, SlotPool::dispose);

    private final Key key;
    private final ArrayDeque<StagingBuffer> free = new ArrayDeque<>();
    /// How many slots there are to be; lowered where the machine has no room for them.
    private int wanted;
    /// How many there are, free or in use.
    private int made;
    /// Loads that run; while there are some, one slot at least stays.
    private int loads;
    /// Set when the last reference is gone; the maker stops after the slot that it is at.
    private boolean disposed;
    /// The thread that makes slots, while there are some to be made.
    private @Nullable Thread maker;
    /// Why no more could be made; told only where there is not a single slot.
    private @Nullable RuntimeException failure;

    /// Pools are by block size too, since a slot serves for blocks of its own size alone.
    private record Key(SharedBackend backend, long slotBytes) {
        // Those of a record are linked at run time, in each process's first load.
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Key that && backend.equals(that.backend) && slotBytes == that.slotBytes;
        }

        @Override
        public int hashCode() {
            return 31 * backend.hashCode() + Long.hashCode(slotBytes);
        }
    }

    private SlotPool(Key key) {
        this.key = key;
        key.backend().retain();
        ALL.add(this);
    }

    /// Whether the pools may hold so many bytes. What the least bound allows needs no look at the machine, which would
    /// delay the first slot of a process.
    private static boolean isAllowed(long bytes) {
        return bytes <= ProcessLimit.bytes(MOST_PROPERTY, 1).orElse(MOST_BYTES) || bytes <= mostBytesOfAll();
    }

    /// How many devices have a pool in this process.
    public static int devices() {
        return (int) ALL.stream().map(pool -> pool.key.backend()).distinct().count();
    }

    /// The page-locked bytes that all pools hold now.
    static long bytesOfAll() {
        return BYTES_OF_ALL.get();
    }

    /// The most that they hold: the system property `fst.pageLockedBytes`, or a sixteenth of the memory of machine or
    /// container, within 192 MiB and 1.5 GiB.
    static long mostBytesOfAll() {
        return ProcessLimit.bytes(MOST_PROPERTY, 1).orElseGet(() -> DefaultBound.BYTES);
    }

    private static final class DefaultBound {
        private static final long BYTES = Math.clamp(SystemMemory.ofThisProcess().read().total() / MEMORY_PART,
                MOST_BYTES, DEVICES * MOST_BYTES);
    }

    /// One reference to the pool of a device; ended by [#release()].
    ///
    /// @param backend the device, retained by the caller
    /// @throws io.fastsafetensors.error.ConfigException if the property that bounds all pools is no number
    public static SlotPool open(SharedBackend backend, long slotBytes) {
        ProcessLimit.bytes(MOST_PROPERTY, 1);
        return POOLS.retain(new Key(backend, slotBytes));
    }

    /// One reference less; the last frees the slots.
    public void release() {
        POOLS.release(key);
    }

    /// One reference more.
    public SlotPool retain() {
        return POOLS.retain(key);
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

    /// Ensures that this many slots will be made, at least one and as many as the bound allows.
    public synchronized void reserve(int slots) {
        wanted = Math.max(wanted, Math.clamp(MOST_BYTES / key.slotBytes(), 1, slots));
        if (made < wanted && maker == null) {
            startMaking();
        }
    }

    /// One thread for a pool, so that slots come one after the other.
    private void startMaking() {
        failure = null;
        try {
            maker = Thread.ofPlatform().daemon().name("fst-slots").start(this::make);
        } catch (OutOfMemoryError e) {
            stopMaking(cannotMake(e));
        }
    }

    private BackendException cannotMake(Error e) {
        return new BackendException("cannot make a staging slot: " + e, Where.backend(key.backend().get().name()), e);
    }

    /// On the maker's thread. A slot counts in the bound of all pools before it is allocated, so two pools never use
    /// the same room.
    private void make() {
        while (true) {
            synchronized (this) {
                if (disposed || made >= wanted) {
                    maker = null;
                    notifyAll();
                    return;
                }
            }
            if (!takeBytes()) {
                endMaking();
                return;
            }
            boolean done = false;
            try {
                StagingBuffer slot = key.backend().get().allocateStaging(key.slotBytes());
                done = true;
                synchronized (this) {
                    made++;
                    free.push(slot);
                    notifyAll();
                }
            } catch (RuntimeException e) {
                stopMaking(e);
                return;
            } catch (Error e) {
                stopMaking(cannotMake(e));
                return;
            } finally {
                if (!done) {
                    BYTES_OF_ALL.addAndGet(-key.slotBytes());
                }
            }
        }
    }

    /// Room for one more slot, which other pools may have to give up. A pool without any has one in any case.
    private boolean takeBytes() {
        long mine = key.slotBytes();
        if (isAllowed(BYTES_OF_ALL.addAndGet(mine))) {
            return true;
        }
        long most = mostBytesOfAll();
        for (SlotPool other : ALL) {
            if (other != this && BYTES_OF_ALL.get() > most) {
                other.giveUp(BYTES_OF_ALL.get() - most);
            }
        }
        boolean first;
        synchronized (this) {
            first = made == 0;
        }
        if (first || BYTES_OF_ALL.get() <= most) {
            return true;
        }
        BYTES_OF_ALL.addAndGet(-mine);
        return false;
    }

    /// Frees slots that nobody uses, all but one if loads are running.
    private void giveUp(long bytes) {
        List<StagingBuffer> surplus = new ArrayList<>();
        synchronized (this) {
            while (!free.isEmpty() && (loads == 0 || made > 1) && surplus.size() * key.slotBytes() < bytes) {
                surplus.add(free.pop());
                made--;
            }
            wanted = Math.min(wanted, made);
        }
        free(surplus).failure().ifPresent(e -> LOG.log(Level.WARNING, "a staging slot could not be freed", e));
    }

    /// Not under the pool's lock: freeing page-locked memory takes milliseconds.
    private Releases free(List<StagingBuffer> slots) {
        Releases releases = new Releases();
        for (StagingBuffer slot : slots) {
            releases.run(slot::close);
            BYTES_OF_ALL.addAndGet(-key.slotBytes());
        }
        return releases;
    }

    /// Stays with what there is, without a failure: other pools have the rest.
    private synchronized void endMaking() {
        wanted = made;
        maker = null;
        notifyAll();
    }

    /// A pool with fewer slots than it wants works on: readers wait for each other. Only one without any fails its
    /// loads.
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

    /// A free slot; waits for one. Where there are none any more, they are made again.
    ///
    /// An interrupt does not end the wait. Who holds a slot itself must not call it, since all others may do so too:
    /// see [StagedTransfer].
    ///
    /// @param stopped whether the caller does not want it any more; looked at when [#wakeUp()] is called
    /// @return null if stopped
    /// @throws RuntimeException why no slot can be made, if there is none at all
    synchronized @Nullable StagingBuffer take(BooleanSupplier stopped) {
        while (free.isEmpty() && !stopped.getAsBoolean()) {
            if (made == 0 && maker == null) {
                RuntimeException why = failure;
                if (why != null) {
                    throw Failures.copy(why);
                }
                reserve(1);
            }
            Waits.uninterruptibly(this,
                    () -> !free.isEmpty() || stopped.getAsBoolean() || (made == 0 && maker == null));
        }
        return free.poll();
    }

    /// Gives a slot back.
    ///
    /// From any thread.
    ///
    /// @param idle whether no copy from it is under way; one of which nobody can say so is never filled again, but
    ///        released, and another one is made in its place
    void give(StagingBuffer slot, boolean idle) {
        synchronized (this) {
            if (idle) {
                free.push(slot);
            } else {
                made--;
                startMakingAgain();
            }
            notifyAll();
        }
        if (!idle) {
            free(List.of(slot)).finish();
        }
    }

    /// For a slot that is released because nobody knows whether it is idle: one that loads wait for may have been the
    /// last.
    private void startMakingAgain() {
        if (maker == null && !disposed) {
            wanted = Math.max(wanted, 1);
            startMaking();
        }
    }

    /// Wakes waiting threads, which check again whether they were stopped.
    synchronized void wakeUp() {
        notifyAll();
    }

    /// A stream that nobody else uses.
    CopyStream takeStream() {
        return key.backend().takeStream();
    }

    /// Waits for a stream's work, then takes the stream back; one whose work failed is closed.
    ///
    /// Only an answer of the device proves that no copy reads a slot any more: a stream that fails to synchronize and
    /// fails to close leaves that open.
    ///
    /// @param releases is told of the failure
    /// @return whether nothing is under way on it any more: false where closing it failed too
    boolean giveStream(CopyStream stream, Releases releases) {
        if (!releases.attempt(stream::synchronize)) {
            return releases.attempt(stream::close);
        }
        releases.attempt(() -> key.backend().giveStream(stream));
        return true;
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
        free(idle).finish();
    }

    /// Waits for the maker, so that no slot is made after the last one was freed.
    private void dispose() {
        ALL.remove(this);
        Thread making;
        synchronized (this) {
            disposed = true;
            making = maker;
        }
        if (making != null) {
            Waits.uninterruptibly(making::join);
        }
        new Releases().run(this::trim).run(key.backend()::release).finish();
    }
}

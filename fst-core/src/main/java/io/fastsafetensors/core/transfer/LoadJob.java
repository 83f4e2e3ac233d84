package io.fastsafetensors.core.transfer;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.core.jfr.Recorder.Span;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.Waits;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.ReadCounters;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// The reader threads of one load. They take blocks in the plan's order; the first failure stops them all and reaches
/// every waiter once.
///
/// Workers (the readers, and the thread of an exchange) are counted. Who starts one counts as one meanwhile, so the count
/// reaches zero once, when nothing touches memory or files any more; the thread that brings it there ends the load.
///
/// A failure goes through [#failed] first, which stops the readers and wakes all waiters, and only then are transfers
/// closed and resources released. So what waiters get is the reason, not what it led to.
///
/// Blocks are taken by an atomic counter; no lock is taken for a block here.
public final class LoadJob {
    /// How long a reader reads before it lets another load's reader have its thread.
    private static final long TURN_NANOS = 20_000_000;

    private final ReadPlan plan;
    private final SharedBackend backend;
    private final OpenFiles files;
    private final ReaderThreads threads;
    private final Resources resources;
    private final LoadContext context;
    private final int numaNode;
    private final BlockCompletion arrivals;
    private final @Nullable BlockExchange exchange;
    private final Span span;
    private final ReadCounters counters = new ReadCounters();
    /// Time of all readers for moving blocks from slots; more than the load's own time where several do.
    private final LongAdder placeNanos = new LongAdder();
    /// The position in [#blocks] of the next one that a reader takes.
    private final AtomicInteger next = new AtomicInteger();
    /// Workers, and those who start some.
    private final AtomicInteger running = new AtomicInteger();
    /// Open when every block was taken, though the last may still be under way.
    private final CountDownLatch taken = new CountDownLatch(1);
    private final LoadEnd end;
    /// Whether readers are to take no more blocks; read without a lock between any two.
    private volatile boolean stopped;
    /// The pool's bytes at the end, for those who ask later: the pool may be another loader's by then.
    private volatile long stagingBytes;
    private final int readers;
    private final ReadConcurrency pace;
    private final boolean remote;
    /// The blocks to read, in this order.
    ///
    /// Without an exchange the plan's own order, in which the first tensors are complete first.
    private final int[] blocks;

    /// @param places the buffers of the files; they may come while the readers read already
    /// @param sources what the headers were read from; held until the readers have ended
    /// @param routing the transfer paths of the files
    /// @param backend the device; retained by the caller until the readers have ended
    /// @param memory what readers may allocate on the device
    /// @param pool slots and streams; null if the host can address the device's memory
    /// @param crew how many readers, fewer if there are fewer blocks
    /// @param threads where they run
    /// @param tap sees what was read; [BlockListener#NONE], or the crew is one reader
    /// @param progress told how this load is doing
    /// @param exchange the loads of other ranks that this one works together with, null if there are none
    /// @param resources what the readers need, `routing`, `pool` and `threads` among it; taken over when this returns, and
    ///        released when the readers have ended
    public LoadJob(ReadPlan plan, DeviceBuffers places, SourceFiles sources, FileTransfers routing,
            SharedBackend backend,
            LoadMemory.Grant memory, @Nullable SlotPool pool, Readers.Crew crew, ReaderThreads threads,
            BlockListener tap, LoadOptions options, ProgressListener progress, Span span,
            @Nullable BlockExchange exchange,
            Resources resources) {
        this.plan = plan;
        this.exchange = exchange;
        this.backend = backend;
        this.threads = threads;
        this.numaNode = options.numaPinning() ? backend.get().info().numaNode() : -1;
        this.blocks = exchange == null ? plan.order() : exchange.reads();
        this.files =
                new OpenFiles(plan, blocks, sources, backend.get().directStorage(), options, counters);
        this.arrivals = new BlockCompletion(plan, progress);
        this.end = new LoadEnd(arrivals);
        this.span = span;
        this.context = new LoadContext(plan, places, files, routing, backend, memory, pool,
                crew.blocksInFlight(), tap, placeNanos, plan.gathers(), () -> stopped,
                exchange == null ? arrivals::arrive : exchange::arrived);
        this.readers = Math.min(crew.threads(), blocks.length);
        this.pace = new ReadConcurrency(Math.min(crew.first(), readers), readers);
        this.remote = crew.isRemote();
        this.resources = resources.handOver();
        this.resources.add(files);
        this.end.then(files::unmap);
    }

    /// Starts the readers. What goes wrong with that fails the load, like everything later.
    ///
    /// Called once. This thread counts as a worker until all readers are started, so that a reader which ends at once
    /// does not end the load.
    public void start() {
        running.set(1);
        try {
            startAll();
        } catch (RuntimeException | Error e) {
            failed(e);
        }
        workerEnded();
    }

    /// The pool is told before the first reader starts, so that it makes slots while readers read.
    private void startAll() {
        SlotPool slots = context.pool();
        if (slots != null) {
            resources.add(slots::end);
            slots.begin(plan.needsSlots() ? pace.peak() * context.blocksInFlight() : 0);
        }
        try {
            if (exchange != null && plan.blocks().size() > 0) {
                startWorker(() -> exchange.run(share()), false);
            }
            startReaders(pace.peak());
        } catch (OutOfMemoryError e) {
            throw new BackendException("cannot start a reader thread: " + e.getMessage()
                    + "; use fewer readers or raise the limit of threads", Where.backend(backend.get().name()), e);
        }
    }

    /// Called by a worker or by who starts the load, hence while [#running] is not zero.
    private void startReaders(int count) {
        for (int i = 0; i < count; i++) {
            startWorker(this::read, true);
        }
    }

    /// @param reads whether it is a reader, which takes its turn among those of all loads
    private void startWorker(Runnable work, boolean reads) {
        running.incrementAndGet();
        Runnable counted = () -> work(work);
        boolean started = false;
        try {
            if (reads) {
                threads.read(counted, remote);
            } else {
                threads.run(counted);
            }
            started = true;
        } finally {
            if (!started) {
                // Never the last: who starts workers counts as one.
                running.decrementAndGet();
            }
        }
    }

    /// The one place where the load ends; the thread that calls it last may be a reader's, an exchange's, or the one
    /// that started the load.
    private void workerEnded() {
        if (running.decrementAndGet() == 0) {
            finish();
        }
    }

    /// Whatever is thrown on a worker ends here: a thread of the pool goes on to other loads.
    private void work(Runnable work) {
        try {
            ReaderThreads.runAsReader(work);
        } catch (RuntimeException | Error e) {
            failed(e);
        }
        workerEnded();
    }

    /// A reader's turn, after which its thread may serve another load; where blocks are left, it has itself run again.
    private void read() {
        NumaNode.pin(numaNode);
        Map<PlannedPath, BlockTransfer> transfers = new EnumMap<>(PlannedPath.class);
        try {
            read(transfers);
        } catch (RuntimeException | Error e) {
            // Before the transfers are closed, so that what that throws is not taken for the reason.
            failed(e);
        }
        for (BlockTransfer each : transfers.values()) {
            release(each);
        }
        if (!stopped && next.get() < blocks.length && !pace.leaves()) {
            startReaders(1);
        }
    }

    /// This load, as those of other ranks see it.
    private BlockExchange.Load share() {
        return new BlockExchange.Load() {
            @Override
            public @Nullable DeviceBuffer bufferOf(int block) {
                return context.bufferOf(block);
            }

            @Override
            public void arrived(int block) {
                arrivals.arrive(block);
            }
        };
    }

    /// Ends when no block is left, the load is stopped, other loads have waited for a turn, or this reader is one too
    /// many. Copies under way are waited for before the thread is given away.
    ///
    /// @param transfers of this reader, made when the first block of their path comes
    private void read(Map<PlannedPath, BlockTransfer> transfers) {
        long begin = System.nanoTime();
        while (!stopped && !(threads.othersWait(remote) && System.nanoTime() - begin > TURN_NANOS)) {
            int position = next.getAndIncrement();
            if (position >= blocks.length) {
                taken.countDown();
                break;
            }
            int block = blocks[position];
            transferOf(block, transfers).transfer(block);
            grow(pace.arrived(plan.blocks().end(block) - plan.blocks().start(block), System.nanoTime()));
            if (pace.isOneTooMany()) {
                break;
            }
        }
        if (!stopped) {
            for (BlockTransfer each : transfers.values()) {
                each.finish();
            }
        }
    }

    /// An `EnumMap`, so that a lookup for each block costs an array access.
    private BlockTransfer transferOf(int block, Map<PlannedPath, BlockTransfer> transfers) {
        PlannedPath path = context.fileOf(block).path();
        BlockTransfer transfer = transfers.get(path);
        if (transfer == null) {
            transfer = BlockTransfer.of(path, context);
            transfers.put(path, transfer);
        }
        return transfer;
    }

    /// @param more how many readers are to be started besides; mostly none
    private void grow(int more) {
        SlotPool slots = context.pool();
        if (more > 0 && slots != null && plan.needsSlots()) {
            slots.reserve(pace.peak() * context.blocksInFlight());
        }
        startReaders(more);
    }

    /// Whatever goes wrong fails the load, with what the file is found to be as the reason where that explains it.
    ///
    /// Called on any worker. A file that was replaced or cut explains most failures of reads better than their own
    /// message does, so that is looked at first.
    private void failed(Throwable e) {
        fail(files.reasonOf(failure(e)));
    }

    /// Errors (out of memory, a failed assertion) reach callers as a [BackendException] with the error as its cause.
    private RuntimeException failure(Throwable e) {
        return e instanceof RuntimeException known ? known
                : new BackendException("a reader thread failed: " + e, Where.backend(backend.get().name()), e);
    }

    /// What cannot be released fails the load too, however far it came, but hides no failure from before.
    private void release(AutoCloseable resource) {
        try {
            resource.close();
        } catch (Exception | Error e) {
            RuntimeException why = failure(e);
            end.unreleased(why, fail(why));
        }
    }

    /// Wakes all that wait for a block, a buffer or a slot; readers notice between two blocks.
    ///
    /// The order matters: the flag first, so that who is woken sees it.
    ///
    /// @return whether this is the failure that waiters get: the first one is
    private boolean fail(RuntimeException why) {
        stopped = true;
        if (exchange != null) {
            // Before anybody who waits here can close the load and give that as the reason.
            exchange.failed(why);
        }
        boolean first = arrivals.fail(why);
        context.places().wakeUp();
        if (context.pool() != null) {
            context.pool().wakeUp();
        }
        return first;
    }

    /// On the thread of the last worker. Nobody else is in here any more, so failures are final when [#end] is reached.
    ///
    /// Each location is looked at once more if all blocks came: what was read must be what the location still names.
    /// Resources are released before [#end] is reached, so that who waits for it finds no file, mapping or scratch memory
    /// of the readers.
    private void finish() {
        taken.countDown();
        if (arrivals.failure() == null) {
            try {
                files.requireCurrent();
            } catch (RuntimeException | Error e) {
                failed(e);
            }
        }
        if (context.pool() != null) {
            stagingBytes = context.pool().bytes();
        }
        release(resources);
        arrivals.end();
        RuntimeException failure = arrivals.failure();
        release(() -> span.finish(failure == null ? "done" : failure.toString()));
        end.reach();
    }

    /// When nothing of this load touches memory or files any more.
    public LoadEnd end() {
        return end;
    }

    /// Stops after the blocks in flight; threads that wait for others get `why`.
    ///
    /// Returns at once: a reader notices after the block that it is at. Does nothing once the load has ended.
    public void cancel(RuntimeException why) {
        if (!end.isReached()) {
            fail(end.cancelledFor(why));
        }
    }

    /// Waits until the first reader has nothing to do any more: the last blocks are on their way.
    public void awaitLastBlocks() {
        Waits.uninterruptibly(taken::await);
    }

    /// Which blocks are in place, since when, and why no more will be.
    public BlockCompletion arrivals() {
        return arrivals;
    }

    /// What was read so far, and how.
    public ReadCounters counters() {
        return counters;
    }

    /// Time spent moving blocks from slots, in seconds over all readers.
    public double placeSeconds() {
        return placeNanos.sum() / 1e9;
    }

    /// Bytes that came from other ranks so far.
    public long bytesReceived() {
        return exchange == null ? 0 : exchange.bytesReceived();
    }

    /// The most readers that it had at a time.
    public int readers() {
        return pace.peak();
    }

    /// The page-locked bytes that this load shares with others, 0 if it needs none.
    ///
    /// For statistics. Slots of the pool are shared, so two loads that run at a time both tell all of them.
    public long stagingBytes() {
        if (!plan.needsSlots()) {
            return 0;
        }
        if (context.pool() == null) {
            return readers * plan.slotBytes();
        }
        return end.isReached() ? stagingBytes : context.pool().bytes();
    }

    /// How each file was read, and why.
    public List<String> storageReport() {
        return files.report();
    }
}

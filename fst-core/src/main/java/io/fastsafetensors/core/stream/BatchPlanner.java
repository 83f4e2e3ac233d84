package io.fastsafetensors.core.stream;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.load.LoadTarget;
import io.fastsafetensors.core.load.PreparedLoad;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.core.transfer.FileTransfers;
import io.fastsafetensors.error.BudgetException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Plans the batches of a stream within its budget. Nothing is read or allocated here. Used by one thread at a time, except
/// for [#close()].
final class BatchPlanner implements AutoCloseable {
    private final LoadTarget target;
    private final LoadOptions options;
    private final ParsedCheckpoint checkpoint;
    /// Which part of each tensor is loaded; a stream's ranks exchange nothing.
    private final RankLayout layout;
    private final StreamBudget budget;
    private final StreamPlan plan;
    /// Of all files, decided once; empty where files are mapped, because each batch maps what it has room for.
    private final FileTransfers routing;
    private final long startNanos;

    /// A batch that is planned.
    record Batch(StreamPlan.Run run, PreparedLoad load) {
        /// A grant for it; null if there is no room now.
        LoadMemory.@Nullable Grant grant(LoadMemory memory) {
            return memory.tryGrant(load.bufferSizes(), load.transientBytes() + run.ownedBytes());
        }
    }

    /// @param layout which part of each tensor is loaded
    /// @param plan what is loaded
    /// @param routing the transfer paths of its files, unless they are mapped; closed with this
    private BatchPlanner(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, RankLayout layout,
            StreamBudget budget, StreamPlan plan, FileTransfers routing, long startNanos) {
        this.target = target;
        this.options = options;
        this.checkpoint = checkpoint;
        this.layout = layout;
        this.budget = budget;
        this.plan = plan;
        this.routing = routing;
        this.startNanos = startNanos;
    }

    /// Plans a stream and the batches' shares.
    ///
    /// @param total the most device memory that it may hold
    /// @param batchesAhead see [io.fastsafetensors.api.StreamOptions]
    /// @param ownedAlone see [StreamPlan]
    /// @throws BudgetException naming a tensor that is larger than the budget
    static BatchPlanner open(LoadTarget target, LoadOptions options, ParsedCheckpoint checkpoint, Selection selection,
            RankLayout layout, long total, int batchesAhead, long ownedAlone, long startNanos) {
        StreamPlan plan = target.streamPlan(checkpoint, selection, layout, ownedAlone);
        try (Resources resources = new Resources()) {
            FileTransfers routing =
                    target.route(target.isMapped() ? List.of() : checkpoint.headers(), checkpoint.sources(), false);
            resources.add(routing);
            StreamBudget budget = StreamBudget.of(total, target.availableBytes(), batchesAhead, target.planSettings(),
                    target.scratchSlots(plan, routing));
            plan.requireEachFits(total, budget.scratchBytes());
            target.requireAvailable(plan.largestBytes() + budget.scratchBytes());
            BatchPlanner planner = new BatchPlanner(target, options, checkpoint, layout, budget,
                    plan.with(budget.settings()), routing, startNanos);
            resources.handOver();
            return planner;
        }
    }

    LoadTarget target() {
        return target;
    }

    LoadOptions options() {
        return options;
    }

    ParsedCheckpoint checkpoint() {
        return checkpoint;
    }

    StreamBudget budget() {
        return budget;
    }

    /// The tensors of the stream.
    StreamPlan plan() {
        return plan;
    }

    /// The batch that begins with a tensor and takes the share of one.
    Batch regular(int from) {
        return prepare(plan.run(from, budget.capacity()), Long.MAX_VALUE);
    }

    /// The longest batch that fits into what is available, one tensor at least.
    ///
    /// @param regular the regular one from that tensor, which is closed
    Batch small(int from, Batch regular, long available) {
        StreamPlan.Run run = plan.run(from, Math.min(budget.capacity(), available - budget.scratchBytes()));
        return prepare(run.to() < regular.run().to() ? run : regular.run(), available - run.ownedBytes());
    }

    /// A batch that is planned holds mappings at most; its memory is granted afterwards, when there is room.
    ///
    /// @param most the most that buffers and readers may take
    private Batch prepare(StreamPlan.Run run, long most) {
        int first = plan.firstFile(run);
        int files = plan.headers(run).size();
        try (Resources resources = new Resources()) {
            FileTransfers own = target.isMapped() ? target.route(plan.headers(run), checkpoint.sources(), false)
                    : routing.part(first, files);
            resources.add(own);
            ReadPlan batch = plan.plan(run, own.routes());
            List<Long> sizes = PreparedLoad.bufferSizes(batch);
            boolean regular = most == Long.MAX_VALUE;
            if (regular && run.ownedBytes() == 0 && !run.alone() && sizes.size() == 1) {
                sizes = List.of(budget.bufferSize(sizes.getFirst()));
            }
            long bytes = 0;
            for (long size : sizes) {
                bytes += size;
            }
            long limit = Math.max(bytes + budget.scratchBytes(),
                    regular ? budget.limit(run.deviceBytes()) - run.ownedBytes() : most);
            return new Batch(run,
                    new PreparedLoad(target, options, checkpoint, layout, own, first, plan.headers(run), batch,
                            sizes, limit, startNanos, resources));
        }
    }

    /// Gives the transfer paths back. Idempotent.
    @Override
    public void close() {
        routing.close();
    }

    /// The device memory that a stream may hold, and its division among the batches in memory.
    ///
    /// The budget is divided by the batches in memory, so that one may be consumed while others arrive. Shares are not
    /// reserved: [io.fastsafetensors.core.memory.LoadMemory] grants each batch what it really takes.
    ///
    /// @param total the most bytes at any time
    /// @param batchesInMemory how many batches there may be at a time, the one being consumed included
    /// @param share what one batch may take, its readers' memory included
    /// @param settings how batches are planned, with blocks small enough for the share of one
    /// @param scratchBytes device memory that one reader needs while it runs
    record StreamBudget(long total, int batchesInMemory, long share, PlanSettings settings, long scratchBytes) {
        /// A batch where nobody sets a budget: large enough that starting one costs nothing compared with reading it.
        private static final long UNLIMITED_BATCH = 512L << 20;
        /// More batches than this have no use: each is read in a moment.
        private static final int MOST_BATCHES = 1 << 16;
        /// The part of a share that a reader's memory may take before blocks are made smaller.
        private static final int SCRATCH_PART = 4;

        /// A stream stays within what the host has available. Nobody who sets no budget wants all of that: half of it, then.
        ///
        /// @param budget the most bytes, as the user says
        /// @param available the bytes that there are, [Long#MAX_VALUE] if that is not known
        /// @param batchesAhead see [io.fastsafetensors.api.StreamOptions]
        /// @param settings how plans are made where memory does not matter
        /// @param scratchSlots how many slots of device memory a reader needs
        static StreamBudget of(long budget, long available, int batchesAhead, PlanSettings settings, int scratchSlots) {
            int batches = (int) Math.min(MOST_BATCHES, batchesAhead + 2L);
            long share = budget == Long.MAX_VALUE ? Math.min(UNLIMITED_BATCH, available / 2 / batches)
                    : Math.min(budget, available) / batches;
            PlanSettings fitting = scratchSlots == 0 ? settings
                    : settings.withSlotsUpTo(share / SCRATCH_PART / scratchSlots);
            long total = budget == Long.MAX_VALUE ? budget : Math.min(budget, available);
            return new StreamBudget(total, batches, share, fitting, scratchSlots * fitting.slotBytes());
        }

        /// What the tensors of one batch may take, unless one alone is larger: a share where readers need nothing besides,
        /// three quarters of it where they do.
        long capacity() {
            return scratchBytes == 0 ? share : Math.max(0, Math.min(share / 4 * 3, share - scratchBytes));
        }

        /// The most that a batch and its readers may take: its share, or what a tensor that is larger needs.
        long limit(long batchBytes) {
            return Math.max(share, batchBytes + scratchBytes);
        }

        /// The size of the only buffer of a batch: that of most others, so that it can serve again for any of them.
        long bufferSize(long bytes) {
            return bytes > capacity() / 2 && bytes < capacity() ? capacity() : bytes;
        }
    }
}

package io.fastsafetensors.core.transfer;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.spi.TransferHints;
import java.util.Set;

/// The number of reader threads and of their blocks in flight: as asked, or as the backend prefers, or two per core
/// (enough to keep a drive busy, few enough not to get into each other's way in the page cache); fewer if a budget
/// requires it, and never more than the process has.
///
/// One for a loader. It decides by arithmetic alone, so that a plan can say what its load will need before anything is
/// taken.
///
/// Bounds that are applied in this order: what the user or the backend says, the process's bound, the slots that the
/// host budget has room for, the number of blocks, and the device memory that each reader needs besides. So a small
/// budget makes a load slower rather than impossible, down to one reader.
public final class Readers {
    private static final int FEWEST = 4;
    private static final int MOST = 16;
    /// One thread submits copies faster than they are done, and brings in pages from a drive faster than several, between
    /// which the kernel loses sight of what to read ahead.
    private static final int MAPPED = 1;
    /// Threads that map pages which are there already: what each does is done without the others, but for a lock or two.
    private static final int MAPPED_CACHED = 4;
    /// How many times as many readers of remote files may work as the storage says.
    private static final int REMOTE_GROWTH = 4;
    /// What readers of remote files may need besides, together, where they would be more than those of local files.
    private static final long REMOTE_BYTES = 512L << 20;

    private final LoadOptions options;
    private final boolean hostAddressable;
    private final long slotBytes;
    /// Readers of a load of local files, as far as budgets and blocks allow.
    ///
    /// What the user says goes beyond what a machine of few cores would have; what a backend prefers does not.
    private final int wanted;
    /// One where the host itself puts blocks in place: its copy is over when the next read begins.
    private final int blocksInFlight;

    /// The readers of one load.
    ///
    /// @param threads how many at most
    /// @param first how many begin; the others follow if that makes the load faster
    /// @param isRemote whether they wait for other machines
    /// @param blocksInFlight how many blocks each may have under way, the one being read included
    /// @param transientBytes device memory that they need together while they run
    public record Crew(int threads, int first, boolean isRemote, int blocksInFlight, long transientBytes) {
        /// One reader of them.
        public Crew alone() {
            return new Crew(1, 1, isRemote, blocksInFlight, transientBytes / threads);
        }
    }

    /// @param hostAddressable whether blocks are put in place by the host
    /// @param slotBytes the size of a slot
    public Readers(LoadOptions options, TransferHints hints, boolean hostAddressable, long slotBytes) {
        this.options = options;
        this.hostAddressable = hostAddressable;
        this.slotBytes = slotBytes;
        int byCores = Math.clamp(2L * Runtime.getRuntime().availableProcessors(), FEWEST, MOST);
        this.wanted = Math.min(ReaderThreads.most(), options.readers() != 0 ? options.readers()
                : hints.readers() != 0 ? Math.min(hints.readers(), byCores) : byCores);
        this.blocksInFlight = hostAddressable ? 1 : Math.clamp(affordableSlots(), 1, hints.slotsPerReader());
    }

    /// How many slots the host budget has room for. Slots are the host memory that the budget bounds; pages of the cache
    /// are not.
    private long affordableSlots() {
        return options.hostBudget() / slotBytes;
    }

    /// The most slots that one load holds at a time.
    public int mostSlots() {
        return (int) Math.min((long) wanted * blocksInFlight, Math.max(1, affordableSlots()));
    }

    /// The readers for a plan.
    ///
    /// @param routing the transfer paths of its files
    /// @param deviceBytes what its buffers take
    /// @param deviceBudget the most device memory that the load may hold
    /// @throws BudgetException if the host budget has no room for a slot, or the device budget none for the plan
    public Crew crew(ReadPlan plan, FileTransfers routing, long deviceBytes, long deviceBudget) {
        int parallelReads = routing.parallelReads();
        boolean remote = parallelReads > 0;
        long perReader = scratchSlots(plan) * plan.slotBytes();
        int threads = remote ? remote(parallelReads, perReader) : wanted;
        if (plan.needsSlots()) {
            if (affordableSlots() < 1) {
                throw new BudgetException("(one staging slot)", slotBytes, options.hostBudget());
            }
            threads = (int) Math.min(threads, Math.max(1, affordableSlots() / blocksInFlight));
        } else if (options.readers() == 0 && plan.usesOnly(PlannedPath.MAPPED_IN_PLACE)) {
            threads = Math.min(threads, routing.isCached()
                    ? Math.min(MAPPED_CACHED, Runtime.getRuntime().availableProcessors()) : MAPPED);
        } else if (options.readers() == 0 && plan.uses(PlannedPath.MAPPED)) {
            threads = Math.min(threads, MAPPED);
        }
        threads = Math.clamp(plan.blocks().size(), 1, threads);
        if (perReader > 0) {
            threads = Math.clamp((deviceBudget - deviceBytes) / perReader, 1, threads);
        }
        plan.requireDeviceBudget(deviceBudget - (deviceBytes - plan.deviceBytes()), threads * perReader);
        boolean grows = remote && options.readers() == 0;
        return new Crew(threads, grows ? Math.min(threads, parallelReads) : threads, remote, blocksInFlight,
                threads * perReader);
    }

    /// @param parallelReads what the storage says
    /// @param perReader the device memory that each reader needs while it runs
    private int remote(int parallelReads, long perReader) {
        if (options.readers() != 0) {
            return Math.min(ReaderThreads.mostRemote(), options.readers());
        }
        int most = Math.min(ReaderThreads.mostRemote(), parallelReads * REMOTE_GROWTH);
        return perReader == 0 ? most : Math.clamp(REMOTE_BYTES / perReader, Math.min(wanted, most), most);
    }

    /// How many slots of device memory a reader needs while it runs.
    public int scratchSlots(ReadPlan plan) {
        boolean direct = plan.uses(PlannedPath.DIRECT);
        boolean copied = plan.uses(PlannedPath.STAGED) || plan.uses(PlannedPath.MAPPED);
        return scratchSlots(direct, plan.uses(PlannedPath.MOVED),
                (copied && plan.converts()) || plan.uses(PlannedPath.DEQUANTIZED), plan.gathers(PlannedPath.MAPPED));
    }

    /// The most slots of device memory that a reader needs for any batch of a stream.
    ///
    /// @param paths the transfer paths of its files
    public int scratchSlots(StreamPlan plan, Set<PlannedPath> paths) {
        boolean moved = hostAddressable
                && !(plan.isInPlace() && Set.of(PlannedPath.IN_PLACE, PlannedPath.MAPPED_IN_PLACE).containsAll(paths));
        boolean copied = paths.contains(PlannedPath.STAGED) || paths.contains(PlannedPath.MAPPED);
        return scratchSlots(paths.contains(PlannedPath.DIRECT), moved,
                (copied && plan.converts()) || paths.contains(PlannedPath.DEQUANTIZED),
                paths.contains(PlannedPath.MAPPED) && plan.gathers());
    }

    /// Direct reads land in one, what the host moves passes through one, and what the device converts, gathers or
    /// multiplies lies in one before.
    ///
    /// They are not shared between paths, because a reader may have a transfer of each path at a time.
    private static int scratchSlots(boolean direct, boolean moved, boolean converts, boolean gathers) {
        return (direct ? 1 : 0) + (moved ? 1 : 0) + (converts || gathers ? 1 : 0);
    }
}

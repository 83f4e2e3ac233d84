package io.fastsafetensors.core.place;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.plan.PlannedFile.Landing;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.spi.TransferHints;
import java.util.Set;

/// How many threads read, and how much each may have under way: as asked, or as the backend likes it, or two a core
/// (enough to keep a drive busy, few enough not to get into each other's way in the page cache); fewer if a budget
/// asks for it, and never more than the process has.
public final class Readers {
    private static final int FEWEST = 4;
    private static final int MOST = 16;
    /// One thread submits copies faster than they are done.
    private static final int MAPPED = 1;

    private final LoadOptions options;
    private final boolean hostAddressable;
    private final long slotBytes;
    private final int wanted;
    private final int blocksInFlight;

    /// The readers of one load.
    ///
    /// @param threads how many
    /// @param blocksInFlight how many blocks each may have under way, the one being read included
    /// @param transientBytes device memory that they need together while they run
    public record Crew(int threads, int blocksInFlight, long transientBytes) {
        /// One reader of them.
        public Crew alone() {
            return new Crew(1, blocksInFlight, transientBytes / threads);
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

    private long affordableSlots() {
        return options.hostBudget() / slotBytes;
    }

    /// The most slots that one load holds at a time.
    public int mostSlots() {
        return (int) Math.min((long) wanted * blocksInFlight, Math.max(1, affordableSlots()));
    }

    /// The readers for a plan.
    ///
    /// @param deviceBytes what its buffers take
    /// @param deviceBudget the most device memory that the load may hold
    /// @throws BudgetException if the host budget has no room for a slot, or the device budget none for the plan
    public Crew crew(ReadPlan plan, long deviceBytes, long deviceBudget) {
        int threads = wanted;
        if (plan.needsSlots()) {
            if (affordableSlots() < 1) {
                throw new BudgetException("(one staging slot)", slotBytes, options.hostBudget());
            }
            threads = (int) Math.min(threads, Math.max(1, affordableSlots() / blocksInFlight));
        } else if (plan.uses(Landing.MAPPED)) {
            threads = options.readers() != 0 ? threads : Math.min(threads, MAPPED);
        }
        threads = Math.clamp(plan.blocks().size(), 1, threads);
        long perReader = scratchSlots(plan) * plan.slotBytes();
        if (perReader > 0) {
            threads = Math.clamp((deviceBudget - deviceBytes) / perReader, 1, threads);
        }
        plan.requireDeviceBudget(deviceBudget - (deviceBytes - plan.deviceBytes()), threads * perReader);
        return new Crew(threads, blocksInFlight, threads * perReader);
    }

    /// How many slots of device memory a reader needs while it runs.
    public int scratchSlots(ReadPlan plan) {
        boolean direct = plan.uses(Landing.DIRECT);
        boolean copied = plan.uses(Landing.STAGED) || plan.uses(Landing.MAPPED);
        return scratchSlots(direct, plan.uses(Landing.MOVED),
                (copied && plan.converts()) || plan.uses(Landing.DEQUANTIZED), plan.gathers(Landing.MAPPED));
    }

    /// The most slots of device memory that a reader needs for any batch of a stream.
    ///
    /// @param landings the transfer paths of its files
    public int scratchSlots(StreamPlan plan, Set<Landing> landings) {
        boolean moved = hostAddressable && !(plan.isInPlace() && Set.of(Landing.IN_PLACE).containsAll(landings));
        boolean copied = landings.contains(Landing.STAGED) || landings.contains(Landing.MAPPED);
        return scratchSlots(landings.contains(Landing.DIRECT), moved,
                (copied && plan.converts()) || landings.contains(Landing.DEQUANTIZED),
                landings.contains(Landing.MAPPED) && plan.gathers());
    }

    /// Direct reads land in one, what the host moves passes through one, and what the device converts, gathers or
    /// multiplies lies in one before.
    private static int scratchSlots(boolean direct, boolean moved, boolean converts, boolean gathers) {
        return (direct ? 1 : 0) + (moved ? 1 : 0) + (converts || gathers ? 1 : 0);
    }
}

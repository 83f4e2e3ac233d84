package io.fastsafetensors.core.place;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.core.plan.PlannedFile.Landing;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.error.BudgetException;
import io.fastsafetensors.spi.TransferHints;

/// How many threads read, and how much each may have under way: as asked, or as the backend likes it, or two a core
/// (enough to keep a drive busy, few enough not to get into each other's way in the page cache); fewer if a budget
/// asks for it.
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
        this.wanted = options.readers() != 0 ? options.readers()
                : hints.readers() != 0 ? Math.min(hints.readers(), byCores) : byCores;
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
    /// @param deviceBudget the most device memory that the load may hold
    /// @throws BudgetException if the host budget has no room for a slot, or the device budget none for the plan
    public Crew crew(ReadPlan plan, long deviceBudget) {
        int threads = wanted;
        if (plan.needsSlots()) {
            if (affordableSlots() < 1) {
                throw new BudgetException("(one staging slot)", slotBytes, options.hostBudget());
            }
            threads = (int) Math.min(threads, Math.max(1, affordableSlots() / blocksInFlight));
        } else if (plan.uses(Landing.MAPPED)) {
            threads = options.readers() != 0 ? threads : Math.min(threads, MAPPED);
        }
        long perReader = transientBytes(plan);
        if (perReader > 0) {
            threads = Math.clamp((deviceBudget - plan.deviceBytes()) / perReader, 1, threads);
        }
        plan.requireDeviceBudget(deviceBudget, threads * perReader);
        return new Crew(threads, blocksInFlight, threads * perReader);
    }

    /// Device memory that a reader needs while it runs.
    public long transientBytes(ReadPlan plan) {
        boolean direct = plan.uses(Landing.DIRECT);
        boolean convertsThere = !hostAddressable && plan.converts()
                && (plan.uses(Landing.STAGED) || plan.uses(Landing.MAPPED));
        return (direct ? slotBytes : 0) + (convertsThere || plan.gathers(Landing.MAPPED) ? slotBytes : 0);
    }
}

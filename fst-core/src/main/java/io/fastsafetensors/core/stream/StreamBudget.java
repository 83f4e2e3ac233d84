package io.fastsafetensors.core.stream;

import io.fastsafetensors.core.plan.PlanSettings;

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

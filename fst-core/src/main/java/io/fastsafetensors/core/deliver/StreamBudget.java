package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.SpareBuffers;
import io.fastsafetensors.core.plan.Batches;
import io.fastsafetensors.core.plan.Cuts;
import io.fastsafetensors.core.plan.ReadPlan;
import java.util.List;

/// How much device memory a stream may hold, and how it is shared among the batches in memory.
///
/// @param total the most bytes at any time
/// @param batchesInMemory how many batches there may be at a time, the one being consumed included
/// @param transientBytes what a reader needs besides
record StreamBudget(long total, int batchesInMemory, long transientBytes) {
    /// A batch where nobody sets a budget: large enough that starting one costs nothing beside reading it.
    private static final long UNLIMITED_BATCH = 512L << 20;

    /// The budget of a stream of a checkpoint that is routed and planned like this.
    static StreamBudget of(LoadTarget target, LoadOptions options, StreamOptions stream, ReadPlan whole) {
        return new StreamBudget(options.deviceBudget(), stream.batchesAhead() + 2,
                target.transientBytesPerReader(whole));
    }

    /// What one batch may take.
    long share() {
        return total == Long.MAX_VALUE ? UNLIMITED_BATCH : total / batchesInMemory;
    }

    /// The most that one batch and its readers may hold: its share, or everything if one tensor needs more.
    long ofBatch(long batchBytes) {
        return Math.max(share(), Math.min(total, batchBytes + transientBytes));
    }

    /// What the tensors of one batch may take, unless one alone is larger: a share where readers need nothing besides,
    /// three quarters of it where they do.
    private long capacity() {
        return transientBytes == 0 ? share() : Math.min(share() / 4 * 3, share() - transientBytes);
    }

    /// Where batches get their memory; the caller closes it.
    SpareBuffers buffers(LoadTarget target) {
        return new SpareBuffers(target.backend(), capacity(), batchesInMemory);
    }

    /// The batches.
    ///
    /// @throws io.fastsafetensors.error.BudgetException naming a tensor that is larger than the budget
    List<Batches.Batch> cut(ParsedCheckpoint checkpoint, LoadTarget target, Selection selection,
            Cuts cuts) {
        return Batches.cut(checkpoint.headers(), selection, target.planSettings(), cuts, capacity(),
                transientBytes, total);
    }
}

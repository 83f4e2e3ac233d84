package io.fastsafetensors.core.place;

import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.core.plan.ReadPlan;

/// Notes when the first tensor of a load is complete.
final class FirstTensor {
    private final ReadPlan plan;
    private final Arrivals arrivals;
    private volatile long nanos;

    FirstTensor(ReadPlan plan, Arrivals arrivals) {
        this.plan = plan;
        this.arrivals = arrivals;
    }

    long nanos() {
        return nanos;
    }

    /// A block arrives: it is not among the arrivals yet, and no other comes meanwhile. Looks only at tensors that the block
    /// carries, and at none once one was complete.
    void arriving(int block) {
        if (nanos != 0) {
            return;
        }
        PlannedTensors tensors = plan.planned().get(plan.blocks().file(block)).tensors();
        for (int t = 0; t < tensors.size(); t++) {
            if (tensors.firstBlock(t) > block) {
                return;
            }
            if (tensors.lastBlock(t) >= block && arrivals.isThere(tensors.firstBlock(t), block - 1)
                    && arrivals.isThere(block + 1, tensors.lastBlock(t))) {
                nanos = System.nanoTime();
                return;
            }
        }
    }
}

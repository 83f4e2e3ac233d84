package io.fastsafetensors.core.load;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensors.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.transfer.LoadJob;
import java.util.Map;

/// The start of a load and the end of its planning.
///
/// All in `System.nanoTime()`; statistics are seconds since the start.
///
/// @param startNanos `System.nanoTime()` of the call
/// @param planNanos when the plan stood
record LoadTiming(long startNanos, long planNanos) {
    /// May be asked for while the load runs: counters are read one after another, so their sums need not agree with
    /// each other until it has ended.
    ///
    /// @param deviceBytes the most device memory that was allocated
    /// @param overflows what was counted
    LoadStats stats(ReadPlan plan, LoadJob job, long deviceBytes, long bytesReceived,
            Map<String, Long> overflows) {
        int tensors = 0;
        long bytes = 0;
        for (PlannedFile file : plan.planned()) {
            tensors += file.tensors().size();
            for (PlannedTensor tensor : file.tensors()) {
                bytes += tensor.part().byteSize();
            }
        }
        return new LoadStats(plan.planned().size(), tensors, bytes, job.counters().bytes(),
                job.counters().cachedBytes(), job.counters().directBytes(), bytesReceived,
                (planNanos - startNanos) / 1e9,
                since(job.arrivals().firstTensorNanos()), since(job.arrivals().allDoneNanos()), job.readers(),
                job.counters().seconds(),
                job.placeSeconds(), job.stagingBytes(), deviceBytes, plan.mappedBytes(), overflows,
                job.storageReport());
    }

    private double since(long nanos) {
        return nanos == 0 ? 0 : (nanos - startNanos) / 1e9;
    }
}

package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.core.plan.ReadPlan;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the loads of a stream did, added up. Thread-safe.
final class StatsSum {
    private final int files;
    private final double secondsPlan;
    private int tensors;
    private long bytes;
    private long bytesRead;
    private long fromCache;
    private long direct;
    private long received;
    private double firstTensor;
    private double all;
    private int readers;
    private double readSeconds;
    private double placeSeconds;
    private long staging;
    private List<String> storage = List.of();

    /// @param whole the plan of everything
    /// @param startNanos when the user asked for the stream
    StatsSum(ReadPlan whole, long startNanos) {
        this.files = whole.planned().size();
        this.secondsPlan = (System.nanoTime() - startNanos) / 1e9;
    }

    synchronized void add(LoadStats batch) {
        tensors += batch.tensors();
        bytes += batch.bytes();
        bytesRead += batch.bytesRead();
        fromCache += batch.bytesFromCache();
        direct += batch.bytesDirect();
        received += batch.bytesReceived();
        firstTensor = firstTensor == 0 ? batch.secondsFirstTensor() : firstTensor;
        all = Math.max(all, batch.secondsAll());
        readers = Math.max(readers, batch.readers());
        readSeconds += batch.readSeconds();
        placeSeconds += batch.placeSeconds();
        staging = Math.max(staging, batch.stagingBytes());
        List<String> lines = new ArrayList<>(storage);
        batch.storage().stream().filter(line -> !lines.contains(line)).forEach(lines::add);
        storage = List.copyOf(lines);
    }

    /// The sum, with a batch that is not in it yet.
    ///
    /// @param deviceBytes the most device memory held at any time
    synchronized LoadStats with(@Nullable LoadStats current, long deviceBytes) {
        StatsSum sum = this;
        if (current != null) {
            sum = new StatsSum(this);
            sum.add(current);
        }
        return sum.toStats(deviceBytes);
    }

    private StatsSum(StatsSum other) {
        files = other.files;
        secondsPlan = other.secondsPlan;
        add(other.toStats(0));
    }

    private LoadStats toStats(long device) {
        return new LoadStats(files, tensors, bytes, bytesRead, fromCache, direct, received, secondsPlan, firstTensor,
                all,
                readers, readSeconds, placeSeconds, staging, device, storage);
    }
}

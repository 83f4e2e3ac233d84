package io.fastsafetensors.core.stream;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.ProgressListener;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Adds up what the loads of a stream report: their statistics when each has ended, and their progress while they read.
/// Thread-safe.
final class StatsAccumulator {
    private final int files;
    private final double secondsPlan;
    private int tensors;
    private long bytes;
    private long bytesRead;
    private long fromCache;
    private long direct;
    private long received;
    /// Of the first batch that had one, in seconds since the stream was asked for.
    private double firstTensor;
    /// When the last batch so far was complete, in seconds since the stream was asked for.
    private double all;
    private int readers;
    private double readSeconds;
    private double placeSeconds;
    private long staging;
    private Map<String, Long> overflows = Map.of();
    private final Set<String> storage = new LinkedHashSet<>();

    /// @param files how many files the stream is of
    /// @param startNanos when the user asked for the stream
    StatsAccumulator(int files, long startNanos) {
        this.files = files;
        this.secondsPlan = (System.nanoTime() - startNanos) / 1e9;
    }

    /// Times since the start are the stream's, because each load was given its start: they are not added.
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
        // Counted for the whole stream from its first batch on.
        overflows = batch.overflows();
        storage.addAll(batch.storage());
    }

    /// The sum, with a batch that is not in it yet.
    ///
    /// @param deviceBytes the most device memory held at any time
    synchronized LoadStats with(@Nullable LoadStats current, long deviceBytes) {
        StatsAccumulator sum = this;
        if (current != null) {
            sum = new StatsAccumulator(this);
            sum.add(current);
        }
        return sum.toStats(deviceBytes);
    }

    /// A copy, to which a batch can be added that is not over yet.
    private StatsAccumulator(StatsAccumulator other) {
        files = other.files;
        secondsPlan = other.secondsPlan;
        add(other.toStats(0));
    }

    private LoadStats toStats(long device) {
        return new LoadStats(files, tensors, bytes, bytesRead, fromCache, direct, received, secondsPlan, firstTensor,
                all,
                readers, readSeconds, placeSeconds, staging, device, 0, overflows, List.copyOf(storage));
    }

    /// Adds up the progress of a stream's loads. Thread-safe: two of them may read at a time, and each tells of itself
    /// alone.
    ///
    /// Never tells more than the total: batches may read bytes that others read too.
    static final class Progress {
        private final ProgressListener listener;
        private final long total;
        private long done;

        /// @param total the bytes of all batches
        Progress(ProgressListener listener, long total) {
            this.listener = listener;
            this.total = total;
        }

        /// What one batch reports to.
        ProgressListener ofBatch() {
            return listener.equals(ProgressListener.NONE) ? ProgressListener.NONE : new OfBatch();
        }

        private synchronized void add(long bytes) {
            done = Math.min(total, done + bytes);
            listener.progress(done, total);
        }

        private final class OfBatch implements ProgressListener {
            private long seen;

            @Override
            public void progress(long bytesDone, long bytesTotal) {
                add(bytesDone - seen);
                seen = bytesDone;
            }
        }
    }
}

package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.ProgressListener;

/// Adds up what the loads of a stream report. Thread-safe: two of them may read at a time.
final class StreamProgress {
    private final ProgressListener listener;
    private final long total;
    private long done;

    /// @param total the bytes of all batches
    StreamProgress(ProgressListener listener, long total) {
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

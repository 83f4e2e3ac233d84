package io.fastsafetensors.storage.http.wire;

import java.util.Locale;
import java.util.concurrent.atomic.LongAccumulator;
import java.util.concurrent.atomic.LongAdder;

/// Counts the requests for one file. Thread-safe.
final class Traffic {
    private static final double MILLIS = 1e6;

    private final LongAdder requests = new LongAdder();
    private final LongAdder retries = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final LongAdder answers = new LongAdder();
    private final LongAdder waited = new LongAdder();
    private final LongAccumulator longest = new LongAccumulator(Math::max, 0);

    /// A request has succeeded or failed for good.
    ///
    /// @param tries how often it was sent
    /// @param size how many bytes of the file came
    void done(int tries, long size) {
        requests.increment();
        retries.add(Math.max(0, tries - 1));
        bytes.add(size);
    }

    /// The head of an answer has come.
    void answered(long nanos) {
        answers.increment();
        waited.add(nanos);
        longest.accumulate(nanos);
    }

    /// The counts, for people; empty before the first request.
    @Override
    public String toString() {
        long count = answers.sum();
        return count == 0 ? "" : String.format(Locale.ROOT,
                "%d requests, %d retries, %d bytes, first byte after %.1f ms (at most %.1f ms)", requests.sum(),
                retries.sum(), bytes.sum(), waited.sum() / MILLIS / count, longest.get() / MILLIS);
    }
}

package io.fastsafetensors.storage.http.wire;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/// Bounds retries: each request may fail a number of times in a row, and of all requests only a share is retried, so that a
/// server in trouble is not asked several times as often. Waits are random between 0 and a bound that doubles. Thread-safe.
final class RetryBudget {
    /// One retry.
    private static final int WHOLE = 100;
    /// What a request adds: one retry in five requests.
    private static final int SHARE = 20;
    /// Retries that can be saved up, and are there at the beginning.
    private static final int MOST = 50 * WHOLE;
    private static final int MOST_DOUBLINGS = 10;
    private static final Duration LONGEST = Duration.ofSeconds(20);

    private final int most;
    private final Duration first;
    private final AtomicInteger saved = new AtomicInteger(MOST);

    RetryBudget(HttpSettings settings) {
        this.most = settings.count("http.retries", 6, 0, 100);
        this.first = settings.seconds("http.retryDelay", "0.1");
    }

    void request() {
        saved.updateAndGet(now -> Math.min(MOST, now + SHARE));
    }

    /// Whether a request that failed so many times in a row may be sent again.
    boolean allows(int failures) {
        return failures <= most && saved.getAndUpdate(now -> now < WHOLE ? now : now - WHOLE) >= WHOLE;
    }

    /// How long to wait before the next try.
    Duration pause(int failures) {
        long bound = Math.min(LONGEST.toNanos(), first.toNanos() << Math.min(failures - 1, MOST_DOUBLINGS));
        return Duration.ofNanos(ThreadLocalRandom.current().nextLong(bound + 1));
    }
}

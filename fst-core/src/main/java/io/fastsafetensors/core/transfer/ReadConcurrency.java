package io.fastsafetensors.core.transfer;

/// The number of readers of a load that work at a time. Where readers wait for other machines rather than for a
/// drive, the number that serves best depends on latency and bandwidth, which nobody knows before: it is doubled for
/// as long as that makes the load faster, and taken back when it does not. Thread-safe.
///
/// It knows no clock and starts no thread: it is told of blocks with the time, and answers how many readers to start.
/// Readers that are one too many end by themselves after a block.
///
/// A climb by doubling, as of TCP's slow start: a measurement lasts until every reader has brought a block or so and at
/// least [#SHORTEST_NANOS]; the number that gave the best rate stays for [#PATIENCE] measurements, after which more are
/// tried again, because the link may have become faster. All rates are of this load alone; two loads that share a link
/// disturb each other's measurements.
final class ReadConcurrency {
    /// The shortest time over which a rate means something.
    private static final long SHORTEST_NANOS = 100_000_000;
    /// A slow link is judged by fewer blocks than there are readers.
    private static final long LONG_NANOS = 1_500_000_000;
    private static final int FEWEST_BLOCKS = 4;
    /// A number of readers is better if the rate is so much higher.
    private static final double BETTER = 1.1;
    /// A rate that has fallen below this part of what it was is a reason to look again.
    private static final double WORSE = 0.7;
    /// After a number was found, how many measurements pass until more are tried again.
    private static final int PATIENCE = 16;

    private final int most;
    /// For local files, and where the user says how many: then nothing is measured.
    private final boolean fixed;
    /// How many are to work.
    private int wanted;
    /// How many do, those included that were just asked for.
    private int working;
    private int peak;
    /// Bytes in a nanosecond, with [#bestReaders] readers.
    private double bestRate;
    private int bestReaders;
    /// Measurements to pass before more readers are tried; 0 while the number still grows.
    private int waits;
    /// When this measurement began, 0 before the first block.
    private long began;
    private long bytes;
    private int blocks;

    /// @param first how many begin
    /// @param most the most at a time; as many as `first` for a number that stays
    ReadConcurrency(int first, int most) {
        this.most = Math.max(first, most);
        this.fixed = first >= most;
        this.wanted = first;
        this.working = first;
        this.peak = first;
        this.bestReaders = first;
    }

    /// A block has arrived.
    ///
    /// The time before the first block is not measured: connections are made then.
    ///
    /// @param nanos now, in `System.nanoTime()`
    /// @return how many readers more are to be started
    synchronized int arrived(long blockBytes, long nanos) {
        if (fixed) {
            return 0;
        }
        if (began == 0) {
            began = nanos;
            return 0;
        }
        bytes += blockBytes;
        blocks++;
        long passed = nanos - began;
        if (passed < SHORTEST_NANOS || (blocks < wanted && (passed < LONG_NANOS || blocks < FEWEST_BLOCKS))) {
            return 0;
        }
        decide((double) bytes / passed);
        began = nanos;
        bytes = 0;
        blocks = 0;
        int more = Math.max(0, wanted - working);
        working += more;
        peak = Math.max(peak, working);
        return more;
    }

    /// @param rate of this measurement, in bytes in a nanosecond
    private void decide(double rate) {
        if (waits > 0) {
            // The rate of the number that was found best, as it is now; much less than before means another link.
            waits = rate < bestRate * WORSE ? 0 : waits - 1;
            bestRate = rate;
            if (waits == 0) {
                wanted = Math.min(most, wanted * 2);
            }
        } else if (rate > bestRate * BETTER) {
            bestRate = rate;
            bestReaders = wanted;
            wanted = Math.min(most, wanted * 2);
            waits = wanted == bestReaders ? PATIENCE : 0;
        } else {
            wanted = bestReaders;
            waits = PATIENCE;
        }
    }

    /// Whether there are more readers than are wanted.
    ///
    /// Only a hint; [#leaves()] decides, once for each reader.
    synchronized boolean isOneTooMany() {
        return working > wanted;
    }

    /// Whether the reader that asks is one too many, and is to end.
    synchronized boolean leaves() {
        if (working <= wanted) {
            return false;
        }
        working--;
        return true;
    }

    /// The most readers that there were at a time.
    synchronized int peak() {
        return peak;
    }
}

package io.fastsafetensors.api;

/// Options of a [TensorStream].
///
/// @param batchesAhead batches read ahead of the consumer: −1 reads the next only when the last was given back, 0
///        while it is being consumed, N keeps N more in memory; at most [#MOST_AHEAD]
/// @param owned whether tensors stay valid until closed by the consumer (true), or only until the next one is asked
///        for (false). An owned tensor keeps no more memory than its own, and counts against the budget until it is closed:
///        where those that are open leave no room for the next one, the stream waits ten seconds for another thread to close
///        some, and then throws a [io.fastsafetensors.error.BudgetException]
///
/// ```java
/// loader.stream(path, StreamOptions.defaults().withOwned(true));
/// ```
public record StreamOptions(int batchesAhead, boolean owned) {
    /// The most batches that may be read ahead: the device budget is divided among them all.
    public static final int MOST_AHEAD = 1024;

    /// @throws IllegalArgumentException if `batchesAhead` is below −1 or above [#MOST_AHEAD]
    public StreamOptions {
        if (batchesAhead < -1 || batchesAhead > MOST_AHEAD) {
            throw new IllegalArgumentException(batchesAhead + " batches ahead; expected −1 to " + MOST_AHEAD);
        }
    }

    /// One batch ahead, borrowed tensors.
    public static StreamOptions defaults() {
        return new StreamOptions(1, false);
    }

    /// The same, with tensors that stay valid until the consumer closes them, or not.
    public StreamOptions withOwned(boolean keep) {
        return new StreamOptions(batchesAhead, keep);
    }

    /// The same with another number of batches ahead.
    ///
    /// @throws IllegalArgumentException if it is below −1
    public StreamOptions withBatchesAhead(int batches) {
        return new StreamOptions(batches, owned);
    }
}

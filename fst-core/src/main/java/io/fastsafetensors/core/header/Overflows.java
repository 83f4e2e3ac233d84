package io.fastsafetensors.core.header;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/// Counts, for each tensor of a checkpoint, the numbers that the dtype it is loaded as has no place for. Thread-safe.
/// One for a checkpoint and all views of it, so that the numbers of several loads add up.
public final class Overflows {
    private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();

    /// The counter of a tensor.
    public LongAdder of(String tensor) {
        return counts.computeIfAbsent(tensor, _ -> new LongAdder());
    }

    /// The tensors that have any, by name.
    public Map<String, Long> counts() {
        Map<String, Long> some = new TreeMap<>();
        counts.forEach((name, count) -> {
            if (count.sum() > 0) {
                some.put(name, count.sum());
            }
        });
        return some;
    }
}

package io.fastsafetensors.cli;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/// Computes medians of several rounds.
public final class Medians {
    private Medians() {
    }

    /// The middle value; the mean of the two middle ones of an even number.
    public static <T> double median(List<T> rounds, ToDoubleFunction<T> value) {
        double[] sorted = rounds.stream().mapToDouble(value).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// The middle value; the lower of the two middle ones of an even number, so that it is one that was seen.
    static <T> long medianLong(List<T> rounds, ToLongFunction<T> value) {
        long[] sorted = rounds.stream().mapToLong(value).toArray();
        Arrays.sort(sorted);
        return sorted[(sorted.length - 1) / 2];
    }

    static <T> long maxLong(List<T> rounds, ToLongFunction<T> value) {
        return rounds.stream().mapToLong(value).max().orElse(0);
    }
}

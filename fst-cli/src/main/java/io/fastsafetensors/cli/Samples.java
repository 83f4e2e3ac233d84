package io.fastsafetensors.cli;

import java.util.ArrayList;
import java.util.List;

/// Collects the results of one arm, one value per round. Not thread-safe.
public final class Samples {
    private final String name;
    private final String unit;
    private final List<Double> values = new ArrayList<>();

    /// @param name the arm, with what was warm or cold
    /// @param unit of the values, such as `GB/s`
    public Samples(String name, String unit) {
        this.name = name;
        this.unit = unit;
    }

    /// Adds the value of the next round.
    public void add(double value) {
        values.add(value);
    }

    /// The arm.
    public String name() {
        return name;
    }

    /// The unit of the values.
    public String unit() {
        return unit;
    }

    /// The number of rounds.
    public int count() {
        return values.size();
    }

    /// The values in the order of the rounds.
    List<Double> values() {
        return List.copyOf(values);
    }

    /// The middle value.
    public double median() {
        return Medians.median(values, Double::doubleValue);
    }

    /// The value below which this part of the values lies, between two of them by linear interpolation; not a number
    /// without a round.
    ///
    /// @param part from 0, the smallest value, to 1, the largest
    double quantile(double part) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        if (sorted.length == 0) {
            return Double.NaN;
        }
        double place = part * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }

    /// The smallest value; not a number without a round.
    public double min() {
        return values.stream().mapToDouble(Double::doubleValue).min().orElse(Double.NaN);
    }

    /// The largest value; not a number without a round.
    public double max() {
        return values.stream().mapToDouble(Double::doubleValue).max().orElse(Double.NaN);
    }
}

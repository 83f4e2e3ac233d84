package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.cli.Medians;
import java.util.ArrayList;
import java.util.List;

/// The results of one arm, one value per round. Not thread-safe.
final class Samples {
    private final String name;
    private final String unit;
    private final List<Double> values = new ArrayList<>();

    /// @param name the arm, with what was warm or cold
    /// @param unit of the values, such as `GB/s`
    Samples(String name, String unit) {
        this.name = name;
        this.unit = unit;
    }

    void add(double value) {
        values.add(value);
    }

    String name() {
        return name;
    }

    String unit() {
        return unit;
    }

    int count() {
        return values.size();
    }

    double median() {
        return Medians.median(values, Double::doubleValue);
    }

    double min() {
        return values.stream().mapToDouble(Double::doubleValue).min().orElse(Double.NaN);
    }

    double max() {
        return values.stream().mapToDouble(Double::doubleValue).max().orElse(Double.NaN);
    }
}

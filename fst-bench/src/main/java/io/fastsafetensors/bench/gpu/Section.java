package io.fastsafetensors.bench.gpu;

/// Measures one thing and reports arms and rows. A section that throws fails its row; the others go on.
@FunctionalInterface
interface Section {
    /// Measures.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if the device or fst has no such way
    void run(Bench bench);
}

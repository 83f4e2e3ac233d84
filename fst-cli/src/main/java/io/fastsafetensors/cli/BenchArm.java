package io.fastsafetensors.cli;

import java.util.Locale;

/// One arm of a benchmark with its rounds.
///
/// @param part the part of a load that it measures
/// @param state where the files' bytes were before each round
/// @param backend the backend's name, empty for an arm that needs none
/// @param cached bytes of the tensors that were in the page cache before a round: the most of a cold arm, the fewest of
///        another; −1 if unknown
/// @param samples GB/s of each round, in order
record BenchArm(Part part, State state, String backend, long cached, Samples samples) {
    /// The unit of every arm.
    static final String UNIT = "GB/s";

    /// Parts of a load.
    enum Part {
        /// Reads whose bytes nobody uses.
        STORAGE,
        /// Copies from the host's memory into the device's.
        COPY,
        /// A whole load.
        LOAD
    }

    /// States of the page cache.
    enum State {
        /// Nothing of the files is in it.
        COLD,
        /// All of them are.
        WARM,
        /// The arm reads no file, or files of other machines.
        NONE
    }

    static BenchArm empty(Part part, State state, String backend) {
        return new BenchArm(part, state, backend, -1, new Samples(name(part, state, backend), UNIT));
    }

    private static String name(Part part, State state, String backend) {
        String what = part == Part.LOAD ? "load" : word(part) + " alone";
        return what + (state == State.NONE ? "" : ", " + word(state)) + (backend.isEmpty() ? "" : ", " + backend);
    }

    /// The same with what was cached before one more round.
    BenchArm cachedBefore(long bytes) {
        long worst = samples.count() == 0 || cached < 0 || bytes < 0 ? bytes
                : state == State.COLD ? Math.max(cached, bytes) : Math.min(cached, bytes);
        return new BenchArm(part, state, backend, worst, samples);
    }

    /// The name for people, such as `load, cold, cuda-gds`; the same in every run.
    String name() {
        return samples.name();
    }

    double median() {
        return samples.median();
    }

    /// How far rounds lie apart, as a part of the median.
    double spread() {
        return (samples.max() - samples.min()) / median();
    }

    /// A constant in lower case, as tables and files spell it.
    static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}

package io.fastsafetensors.testkit.group;

/// One rank's part of a test that all ranks do together; it compares its own results.
@FunctionalInterface
public interface RankScript {
    /// Runs on the rank's own thread; what it throws fails the test.
    void run(RankBench bench) throws Exception;
}

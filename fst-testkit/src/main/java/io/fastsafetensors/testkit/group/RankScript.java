package io.fastsafetensors.testkit.group;

/// What one rank does in a test that all ranks do together; it compares what it gets itself.
@FunctionalInterface
public interface RankScript {
    /// Runs on the rank's own thread; what it throws fails the test.
    void run(RankBench bench) throws Exception;
}

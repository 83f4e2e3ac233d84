/// The conformance suite that every backend runs, and what tests of fst are made of: fixtures, faults, leak checks.
module io.fastsafetensors.testkit {
    requires transitive io.fastsafetensors.api;
    requires transitive org.junit.jupiter.api;
    requires static org.jspecify;

    exports io.fastsafetensors.testkit;

    uses io.fastsafetensors.spi.BackendProvider;
}

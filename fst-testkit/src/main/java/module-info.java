/// The conformance suites that every backend, transport between ranks and storage runs, and what tests of fst are made of: fixtures, faults, leak checks.
///
/// A backend proves itself by extending [io.fastsafetensors.testkit.BackendConformance], a transport by extending
/// [io.fastsafetensors.testkit.ProcessGroupConformance], a storage by extending
/// [io.fastsafetensors.testkit.StorageConformance]; RULES.md lists the rules.
module io.fastsafetensors.testkit {
    requires transitive io.fastsafetensors.api;
    requires transitive org.junit.jupiter.api;
    requires static org.jspecify;

    exports io.fastsafetensors.testkit;
    exports io.fastsafetensors.testkit.checked;
    exports io.fastsafetensors.testkit.fault;
    exports io.fastsafetensors.testkit.ffm;
    exports io.fastsafetensors.testkit.fixture;
    exports io.fastsafetensors.testkit.group;
    exports io.fastsafetensors.testkit.leak;
    exports io.fastsafetensors.testkit.reference;

    // Inherited test classes and methods are package-private.
    opens io.fastsafetensors.testkit to org.junit.platform.commons;
}

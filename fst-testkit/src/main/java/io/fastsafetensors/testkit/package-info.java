/// The conformance suites: [BackendConformance], [ProcessGroupConformance], [StorageConformance] and their groups of
/// numbered rules. A backend's test extends one class and implements one method; capabilities come from its probe. A
/// storage's test has a [StorageFixture] besides, which writes the files that the storage serves.
/// RULES.md, next to this module's pom, lists every rule with what to look at if it fails.
@NullMarked
package io.fastsafetensors.testkit;

import org.jspecify.annotations.NullMarked;

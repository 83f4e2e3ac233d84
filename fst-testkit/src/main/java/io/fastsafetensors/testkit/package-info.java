/// The conformance suite: [BackendConformance] and its groups of numbered rules.
/// A backend's test extends one class and implements one method; capabilities come from its probe.
/// RULES.md, beside this module's pom, lists every rule with what to look at if it fails.
@NullMarked
package io.fastsafetensors.testkit;

import org.jspecify.annotations.NullMarked;

/// A storage in memory that keeps every rule, for the rules to be tried on, and storages with one defect each.
/// Each mutant names the rule that fails for it.
/// Forwarding classes around the storage in memory keep a mutant as short as its defect.
@NullMarked
package io.fastsafetensors.testkit.storage;

import org.jspecify.annotations.NullMarked;

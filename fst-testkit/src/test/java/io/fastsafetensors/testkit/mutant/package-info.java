/// Backends with one defect each: what the rules must catch, and the machinery that makes them.
/// Each mutant names the one rule that fails for it; every other rule must hold.
/// Forwarding classes around the host backend keep a mutant as short as its defect.
@NullMarked
package io.fastsafetensors.testkit.mutant;

import org.jspecify.annotations.NullMarked;

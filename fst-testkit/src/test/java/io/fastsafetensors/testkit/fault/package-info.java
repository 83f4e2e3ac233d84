/// Tests of the package of the same name in the main sources.
/// Faults come when they were planned, and objects are counted.
/// Random numbers come from the seed that failures print.
@NullMarked
package io.fastsafetensors.testkit.fault;

import org.jspecify.annotations.NullMarked;

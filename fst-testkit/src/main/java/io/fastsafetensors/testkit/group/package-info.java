/// The parts of tests of process groups: the work of one rank in each rule of the conformance suite, the desk it does
/// that at, and a program that is one rank of several processes.
/// Ranks of one JVM are threads; a launcher such as mpirun starts the others.
@NullMarked
package io.fastsafetensors.testkit.group;

import org.jspecify.annotations.NullMarked;

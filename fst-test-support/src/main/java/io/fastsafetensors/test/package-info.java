/// The parts that the tests of several modules share: the tools that they need of the machine, C that they compile,
/// and processes that they start.
@NullMarked
package io.fastsafetensors.test;

import org.jspecify.annotations.NullMarked;

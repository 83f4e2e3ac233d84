/// Loads into a GPU beside the limits of the machine they run on: one program, one table, every row with its bar.
/// A section measures one thing; arms of a section take turns round by round, and only arms of one run are compared.
/// Runs on any device that a backend serves; the CPU serves to try the programs.
@NullMarked
package io.fastsafetensors.bench.gpu;

import org.jspecify.annotations.NullMarked;

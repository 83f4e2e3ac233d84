/// A transport between threads, and defects of it that the rules for ranks must catch.
@NullMarked
package io.fastsafetensors.testkit.rank;

import org.jspecify.annotations.NullMarked;

/// A decorator around any backend that fails on purpose, is late, finishes streams out of order, and counts what is
/// open. Everything it does follows from one seed, so that a failure can be repeated.
/// For tests of those who use backends: readers, staging, delivery.
@NullMarked
package io.fastsafetensors.testkit.fault;

import org.jspecify.annotations.NullMarked;

/// A decorator that checks each call to a backend, and each answer, against the contract of `io.fastsafetensors.spi`.
@NullMarked
package io.fastsafetensors.testkit.checked;

import org.jspecify.annotations.NullMarked;

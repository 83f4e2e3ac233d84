/// Tests of the decorator that checks the contract.
@NullMarked
package io.fastsafetensors.testkit.checked;

import org.jspecify.annotations.NullMarked;

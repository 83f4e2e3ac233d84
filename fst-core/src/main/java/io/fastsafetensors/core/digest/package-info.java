/// SHA-256, of tensors, plans and what ranks compare.
@NullMarked
package io.fastsafetensors.core.digest;

import org.jspecify.annotations.NullMarked;

/// Bytes from storage, as fast as it gives them: out of the page cache what is there, past it what is not.
/// Retries what may be retried, records every fallback with its reason, turns the rest into one clear error.
/// Before it: plan says which ranges. After it: place says where they go.
@NullMarked
package io.fastsafetensors.core.read;

import org.jspecify.annotations.NullMarked;

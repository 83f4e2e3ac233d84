/// Loads of several ranks: what all have to agree on before one begins, and tensors that the rank which read them hands
/// to the others when all ask. What one rank cannot do is an error on each of them. Before it: load, distribute (who
/// reads what) and group (how ranks agree). Knows nothing of streams.
@NullMarked
package io.fastsafetensors.core.collective;

import org.jspecify.annotations.NullMarked;

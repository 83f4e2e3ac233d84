/// Repositories of the Hugging Face hub, at one commit, from the hub and from the cache that its own tools keep.
@NullMarked
package io.fastsafetensors.storage.http.hub;

import org.jspecify.annotations.NullMarked;

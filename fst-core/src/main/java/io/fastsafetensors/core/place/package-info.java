/// Reader threads that carry blocks into place, each file on the way that [Router] chose: straight into memory that the
/// host can address, through page-locked slots, out of registered mappings, or by direct storage.
/// Before it: read. After it: deliver waits for what arrived here.
@NullMarked
package io.fastsafetensors.core.place;

import org.jspecify.annotations.NullMarked;

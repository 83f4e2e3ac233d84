/// Reader threads that carry blocks into place: straight into host-addressable memory, or through a slot where they
/// must be shifted or converted.
/// Before it: read. After it: deliver waits for what arrived here.
@NullMarked
package io.fastsafetensors.core.place;

import org.jspecify.annotations.NullMarked;

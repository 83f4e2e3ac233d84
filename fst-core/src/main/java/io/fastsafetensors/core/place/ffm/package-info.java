/// The C library's calls that help placing: pages brought in beforehand, threads kept near their device.
/// Both only make things faster; where they are missing, loads work without them.
/// Tests give the interface a scripted implementation.
@NullMarked
package io.fastsafetensors.core.place.ffm;

import org.jspecify.annotations.NullMarked;

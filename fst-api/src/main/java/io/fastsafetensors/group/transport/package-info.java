/// The common parts of transports between ranks: argument checks, the comparison of what the ranks call before data
/// moves, and what becomes of a group after a failure. A transport adds a [ControlPlane] for small messages and a
/// [Mover] for memory, and hands out a [TransportGroup].
@NullMarked
package io.fastsafetensors.group.transport;

import org.jspecify.annotations.NullMarked;

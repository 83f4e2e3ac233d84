/// Process groups: ranks that load one checkpoint together, and the collectives that core needs of them. A rank is a
/// process, or a thread of one JVM that drives its own device. Transports (MPI, NCCL, RCCL, third parties) implement
/// [ProcessGroupProvider], each in the module of the memory that it moves.
@NullMarked
package io.fastsafetensors.group;

import org.jspecify.annotations.NullMarked;

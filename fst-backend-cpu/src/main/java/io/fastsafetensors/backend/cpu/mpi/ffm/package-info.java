/// The MPI library: one interface with its C names, one binding to Open MPI through the foreign-function API.
/// Plain Java types only; statuses are given back as they are.
/// Tests give the interface an implementation of their own.
@NullMarked
package io.fastsafetensors.backend.cpu.mpi.ffm;

import org.jspecify.annotations.NullMarked;

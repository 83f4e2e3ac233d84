/// Groups whose ranks are processes that mpirun or srun started: the transport `mpi`, which moves host memory.
/// Every wait polls until a deadline; no call of the library is made that waits for another rank, but for its start and
/// its end, which have a thread of their own.
@NullMarked
package io.fastsafetensors.backend.cpu.mpi;

import org.jspecify.annotations.NullMarked;

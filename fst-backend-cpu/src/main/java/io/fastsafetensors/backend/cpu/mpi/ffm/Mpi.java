package io.fastsafetensors.backend.cpu.mpi.ffm;

import java.lang.foreign.MemorySegment;

/// The functions of MPI that this transport calls, under their C names, with their C meaning. Each returns a status;
/// results go into the first element of an array. Handles are pointers to the library's objects, addresses are of host
/// memory, counts are of `MPI_BYTE`. Threads: as `MPI_Init_thread` granted.
///
/// Constants are those of Open MPI's `mpi.h`, the same in releases 4 and 5.
public interface Mpi {
    /// `MPI_SUCCESS`.
    int MPI_SUCCESS = 0;
    /// `MPI_THREAD_SERIALIZED`: many threads, one at a time.
    int MPI_THREAD_SERIALIZED = 2;
    /// `MPI_THREAD_MULTIPLE`: many threads at once.
    int MPI_THREAD_MULTIPLE = 3;

    /// `MPI_COMM_WORLD`: all processes that were started together.
    long MPI_COMM_WORLD();

    /// `MPI_ERRORS_RETURN`: the handler that lets a failing call return its status.
    long MPI_ERRORS_RETURN();

    /// The library's name and version in words. Works at any time.
    int MPI_Get_library_version(String[] version);

    /// Whether `MPI_Init` or `MPI_Init_thread` was called. Works at any time.
    int MPI_Initialized(int[] flag);

    /// Whether `MPI_Finalize` was called. Works at any time.
    int MPI_Finalized(int[] flag);

    /// Starts the library; returns when all processes that were started together have called it.
    int MPI_Init_thread(int required, int[] provided);

    /// The level that the library was started with.
    int MPI_Query_thread(int[] provided);

    /// Ends the library; returns when all processes have called it.
    int MPI_Finalize();

    /// A status in words.
    int MPI_Error_string(int status, String[] text);

    /// This process's number.
    int MPI_Comm_rank(long comm, int[] rank);

    /// How many processes.
    int MPI_Comm_size(long comm, int[] size);

    /// Says what a failing call of the communicator does.
    int MPI_Comm_set_errhandler(long comm, long handler);

    /// Begins to make a communicator with the same processes.
    ///
    /// @param created 8 bytes, alive until the request has ended, that get the new handle
    int MPI_Comm_idup(long comm, MemorySegment created, long[] request);

    /// Begins to send. The memory stays untouched until the request has ended.
    int MPI_Isend(long address, int bytes, int to, int tag, long comm, long[] request);

    /// Begins to receive at most so many bytes. The memory stays alive until the request has ended.
    int MPI_Irecv(long address, int bytes, int from, int tag, long comm, long[] request);

    /// Begins to copy the root's memory into everybody else's.
    int MPI_Ibcast(long address, int bytes, int root, long comm, long[] request);

    /// Lets all requests make progress, and says whether this one has ended; if so it becomes `MPI_REQUEST_NULL`.
    int MPI_Test(long[] request, int[] flag);

    /// Marks a request for receiving to be given up; it ends thereby unless the data is on its way.
    int MPI_Cancel(long[] request);
}

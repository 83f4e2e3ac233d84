package io.fastsafetensors.gpu.nccl.ffm;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// The functions of NCCL 2.18 and newer that groups call, under their C names, with their C meaning; RCCL's have the same
/// names. Each returns an `ncclResult_t` unless it gives text. Communicators and streams are pointers, addresses are of
/// device memory, counts are of bytes. Functions of a communicator want its device current on the calling thread; one
/// thread at a time calls for a communicator.
public interface Nccl {
    /// `ncclSuccess`.
    int NCCL_SUCCESS = 0;
    /// `ncclInProgress`: a call of a communicator that does not block goes on beside the caller.
    int NCCL_IN_PROGRESS = 7;
    /// `NCCL_UNIQUE_ID_BYTES`.
    int NCCL_UNIQUE_ID_BYTES = 128;

    /// The file name under which the library was found.
    String library();

    /// 10,000 × major + 100 × minor + patch.
    int ncclGetVersion(int[] version);

    /// A status in words.
    String ncclGetErrorString(int result);

    /// What the library wrote last about a failure; empty if nothing.
    String ncclGetLastError(long comm);

    /// Makes the id by which the ranks of one communicator find each other; where the environment has `NCCL_COMM_ID`, every
    /// process gets the same.
    ///
    /// @param id gets [#NCCL_UNIQUE_ID_BYTES] bytes
    int ncclGetUniqueId(byte[] id);

    /// Makes a communicator. The configuration is that of the header's `NCCL_CONFIG_INITIALIZER` but for `blocking`.
    ///
    /// @param comm 8 bytes that get the communicator, alive as long as it
    /// @param id the same on all ranks
    /// @param blocking 1 if calls return when they have done their work, 0 if the caller asks [#ncclCommGetAsyncError]
    int ncclCommInitRankConfig(MemorySegment comm, int ranks, byte[] id, int rank, int blocking);

    /// What became of the last call of a communicator.
    int ncclCommGetAsyncError(long comm, int[] error);

    /// Finishes what is queued and lets go of the other ranks.
    int ncclCommFinalize(long comm);

    /// Frees a communicator that was finalized.
    int ncclCommDestroy(long comm);

    /// Ends what is queued, whether it can finish or not, and frees the communicator.
    int ncclCommAbort(long comm);

    /// Queues a copy of the root's `send` to everybody's `receive`; they may be one address.
    int ncclBroadcast(long send, long receive, long bytes, int root, long comm, long stream);

    /// Queues the collection of everybody's `send` in everybody's `receive`; in place if it lies there already.
    int ncclAllGather(long send, long receive, long bytes, long comm, long stream);

    /// Queues sending to one rank, which receives.
    int ncclSend(long send, long bytes, int peer, long comm, long stream);

    /// Queues receiving from one rank, which sends.
    int ncclRecv(long receive, long bytes, int peer, long comm, long stream);

    /// What is queued from now on by this thread begins together, at [#ncclGroupEnd].
    int ncclGroupStart();

    /// Begins what was queued since [#ncclGroupStart].
    int ncclGroupEnd();

    /// The C library's: sets a variable of this process, which the library reads when it makes ids and communicators.
    ///
    /// @param value null removes it
    void setenv(String name, @Nullable String value);
}

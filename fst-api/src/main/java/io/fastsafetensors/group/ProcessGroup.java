package io.fastsafetensors.group;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import java.time.Duration;
import java.util.List;

/// The ranks that load together, and the collectives that core needs of them.
///
/// Collectives are called in one order by all ranks; a rank that does not come is found by the timeout. Data moves as
/// bytes, whatever the dtype. With a stream of the backend whose memory is moved the operation is queued there and
/// returns at once where the transport can; it has finished when a later fence has passed. A null-free contract: the
/// stream is the one of the loader's device, also for host transports, which wait for it first.
///
/// One thread of a rank at a time, but for [#close()]. Every failure is a
/// [io.fastsafetensors.error.GroupException] that names the ranks. Nothing waits longer than [#timeout()] for a rank that
/// does not come, nor for one that has left. After a failure the group is broken: each later call fails at once, with the
/// first failure as its cause. When a call returns, no other rank touches this rank's memory for it any more, but for what
/// is queued on the stream.
public interface ProcessGroup extends AutoCloseable {
    /// The transport's name, such as `single`, `local`, `mpi`, `nccl`.
    String transport();

    /// This rank, from 0.
    int rank();

    /// How many ranks.
    int size();

    /// How long a collective waits for the others.
    Duration timeout();

    /// Whether buffers of this device type (see [io.fastsafetensors.types.Device#type()]) can be moved.
    boolean moves(String deviceType);

    /// Waits until every rank is here.
    void barrier();

    /// Exchanges a small host message: returns every rank's, by rank. For digests, budgets and agreements; messages
    /// may differ in length and stay under 1 MiB.
    List<byte[]> exchange(byte[] message);

    /// Copies `slice` of rank `root` into `slice` of every other rank. Sizes agree.
    void broadcast(BufferSlice slice, int root, CopyStream stream);

    /// Sends `parts.get(r)` of rank `root` to rank r's `into`. Parts may differ in size and be empty; each size agrees
    /// with what its receiver expects. The parts do not overlap `into`.
    ///
    /// @param parts one slice a rank on `root`; empty on the others
    void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream);

    /// Collects every rank's equally large part: rank r's `part` lands at `r × part.byteSize()` of everybody's `all`.
    /// `part` may be that place itself (in-place).
    void allGather(BufferSlice part, BufferSlice all, CopyStream stream);

    /// Brings pieces of memory from the ranks that have them to all others, in one operation: an all-gather of parts that differ
    /// in size and lie in several buffers. The transport queues it on the stream where it can; the bytes are there when the
    /// returned object says so. Every rank names the same roots and sizes in the same order; pieces do not overlap.
    ///
    /// @param pieces some may be empty
    /// @return closed by the caller; the memory stays alive until it is done or has failed
    default PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
        pieces.forEach(piece -> broadcast(piece.slice(), piece.root(), stream));
        stream.synchronize();
        return PendingCollective.DONE;
    }

    /// Sends to rank `to`, which calls [#receive].
    void send(BufferSlice slice, int to, CopyStream stream);

    /// Receives from rank `from`, which calls [#send]. Sizes agree.
    void receive(BufferSlice slice, int from, CopyStream stream);

    /// Leaves the group and frees what the transport holds. Idempotent, from any thread. Other calls throw
    /// [IllegalStateException] from then on. A rank that waits for this one,
    /// now or later, fails at once where the transport can tell: a load that still needs this rank fails on every rank with
    /// a [io.fastsafetensors.error.GroupException], and what was loaded stays.
    @Override
    void close();
}

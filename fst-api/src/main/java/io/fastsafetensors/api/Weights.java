package io.fastsafetensors.api;

import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The tensors of one load. They arrive in the background; asking for one waits for its own bytes only.
///
/// Thread-safe. Closing invalidates every tensor handed out that was not detached: from then on their methods, and
/// those of this object, throw [IllegalStateException]. Without a process group the sharding calls give the whole
/// tensor, as for rank 0 of 1.
///
/// If a read fails, every call that needs its bytes throws a [io.fastsafetensors.error.StorageException] with the same words:
/// each its own, with the first as its cause. Waiting can be interrupted, see [Loader]; what is there already is given
/// whatever the thread's interrupt status.
///
/// A progress listener may ask for what is there ([#isReady(String)]). Where it would have to wait, for reads or for other
/// ranks, it is told so by an [IllegalStateException]: it runs on a thread that reads.
///
/// *Several ranks.* Which calls are collective depends on [LoadPlan#sharing()]: with [Distribution#OWNER] those marked so
/// here; with the other ways none, though programs that make them on every rank in the same order work with all ways.
/// Before a collective call moves anything, the ranks compare what they call: different calls, tensors or dtypes are a
/// [io.fastsafetensors.error.GroupException] on every rank that names them; a rank that does not come within the group's
/// timeout is named on the others; so is the reason if a rank cannot carry out its call, and then the group goes on: the
/// next call and the next load work. The timeout covers the owner's reading. Calls
/// of one rank are made one after the other.
///
/// ```java
/// try (Weights weights = loader.load(path)) {
///     Tensor query = weights.get("model.layers.0.self_attn.q_proj.weight");       // waits for its own bytes
///     Tensor half = weights.get("lm_head.weight", GetOptions.as(DType.F16));
///     weights.awaitAll();
/// }
/// ```
public interface Weights extends AutoCloseable {
    /// The headers.
    Checkpoint checkpoint();

    /// The names of the loaded (selected) tensors, by file and offset.
    Set<String> names();

    /// What the header says of a loaded tensor.
    ///
    /// @throws io.fastsafetensors.error.TensorNotFoundException if it was not loaded
    TensorInfo info(String name);

    /// The file that a tensor came from.
    Location file(String name);

    /// The `__metadata__` of all files together.
    Map<String, String> metadata();

    /// The device that holds the tensors.
    Device device();

    /// The plan that is being carried out.
    LoadPlan plan();

    /// A tensor; waits for its bytes. Costs nothing but the object unless the options change something.
    ///
    /// @throws io.fastsafetensors.error.TensorNotFoundException if it was not loaded
    default Tensor get(String name) {
        return get(name, GetOptions.asLoaded());
    }

    /// A tensor, converted or copied as asked. Collective. Each rank may ask for another device.
    ///
    /// @throws io.fastsafetensors.error.SliceException if only this rank's part was loaded, as the shard specification
    ///         says
    Tensor get(String name, GetOptions options);

    /// Whether a tensor's bytes are there already; of another owner's tensor, never.
    boolean isReady(String name);

    /// This rank's part of a tensor cut along `dim`: blocks of ceil(size / ranks), the last ones smaller or empty.
    /// `dim` −1 gives everybody the whole tensor. Collective.
    ///
    /// @throws io.fastsafetensors.error.SliceException if there is no such dimension, a sub-byte element's byte would be
    ///         cut, or the shard specification had another part loaded
    default Tensor getSharded(String name, int dim) {
        return getSharded(name, dim, GetOptions.asLoaded());
    }

    /// As [#getSharded(String, int)], converted or copied as asked.
    Tensor getSharded(String name, int dim, GetOptions options);

    /// This rank's parts of several tensors cut along `dim`, concatenated along `dim` in the order of the names.
    /// Dtypes and the other dimensions agree. Collective.
    default Tensor getShardedConcat(List<String> names, int dim) {
        return getShardedConcat(names, dim, GetOptions.asLoaded());
    }

    /// As [#getShardedConcat(List, int)], converted or copied as asked.
    Tensor getShardedConcat(List<String> names, int dim, GetOptions options);

    /// Gives a tensor to one rank only. Collective.
    ///
    /// @return the tensor on rank `destination`, empty on the others
    default Optional<Tensor> push(String name, int destination) {
        return push(name, destination, GetOptions.asLoaded());
    }

    /// As [#push(String, int)], converted or copied as asked.
    Optional<Tensor> push(String name, int destination, GetOptions options);

    /// Several tensors at once, each cut along its dimension (−1: whole), in the map's order. Collective: the ranks compare
    /// once for tensors of one file that follow one another.
    Map<String, Tensor> getAll(Map<String, Integer> dims);

    /// Waits until every tensor that this rank reads is there. Collective: it returns when that is so on every rank.
    ///
    /// @throws io.fastsafetensors.error.FstException what failed the load, what could not be released at its end included
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted
    void awaitAll();

    /// What was done so far.
    LoadStats stats();

    /// Whether [#close()] was called; the one method besides it that never throws [IllegalStateException].
    boolean isClosed();

    /// Cancels what is still being read, invalidates the tensors and frees their memory, but for what detached
    /// tensors and pins hold. Idempotent, from any thread, at any moment. If blocks are still exchanged
    /// ([Distribution#STRIPED]), the other ranks are told, and their loads fail.
    ///
    /// Returns when no reader touches the memory any more. A read that does not return (a file system that is gone) is waited
    /// for a minute, or a second on a thread that is interrupted, with a warning in the log; then, and in a progress listener
    /// at once, this returns and the memory is freed as soon as the last reader has released it.
    ///
    /// @throws RuntimeException what the backend cannot free, to the first caller; everything else is freed
    @Override
    void close();
}

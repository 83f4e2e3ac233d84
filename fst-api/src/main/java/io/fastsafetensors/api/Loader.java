package io.fastsafetensors.api;

import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/// Loads checkpoints into the memory of one device. Thread-safe: several loads may run at once. Closing it ends
/// nothing that was begun: a load belongs to its [Weights], a stream to its [TensorStream], and a rewrite that runs goes on
/// to its end.
///
/// *Interrupts.* A call that waits, for headers here or for bytes in [Weights] and [TensorStream], ends with a
/// [io.fastsafetensors.error.LoadInterruptedException] when its thread is interrupted; the thread's interrupt status stays
/// set, and what it waited for goes on. Two things are not interrupted: a collective call with other ranks, which would be
/// left waiting for this one and ends within the group's timeout, and work on the device that was submitted. Reads of files
/// run on threads of the loader, which nobody interrupts.
///
/// *Failures.* What fails is told to each caller by an exception of its own, with the same type and message and with the
/// first failure as its cause.
///
/// ```java
/// try (Loader loader = Loader.builder().device("cuda:0").build();
///         Weights weights = loader.load(Path.of("/models/llama"), Selection.glob("model.layers.0.*"))) {
///     Tensor query = weights.get("model.layers.0.self_attn.q_proj.weight");
/// }
/// ```
///
/// With a group of several ranks [#load] and [#plan] are called by all ranks, in one order: they agree on files, headers
/// and options before anything is read, and what fails on one rank fails on all. A loader's loads use its group one after
/// the other; nobody else uses it meanwhile.
public interface Loader extends AutoCloseable {
    /// A builder with every option at its default.
    static LoaderBuilder builder() {
        return new LoaderBuilder();
    }

    /// A loader with the given options.
    static Loader of(LoadOptions options) {
        Objects.requireNonNull(options, "options");
        return LoaderProvider.instance().newLoader(options);
    }

    /// A loader configured from outside the program: by system properties (`fst.device`), environment variables
    /// (`FST_DEVICE`), and a file: the one that the property `fst.config` or the variable `FASTSAFETENSORS_CONFIG` names,
    /// or else `fst.json` or `fastsafetensors.json` in the working directory. The earlier wins; what none of them says
    /// is at its default. Their keys are listed in docs/configuration.md.
    ///
    /// @throws io.fastsafetensors.error.ConfigException naming the file, line and key that is wrong
    static Loader fromConfig() {
        return configuredBuilder().build();
    }

    /// A builder that starts where [#fromConfig()] ends: what the program sets wins over all configuration.
    ///
    /// @throws io.fastsafetensors.error.ConfigException naming the file, line and key that is wrong
    static LoaderBuilder configuredBuilder() {
        return LoaderProvider.instance().configuredOptions().toBuilder();
    }

    /// As [#configuredBuilder()], with this file in place of the one that would be looked for.
    ///
    /// @throws io.fastsafetensors.error.ConfigException naming the file, line and key that is wrong
    static LoaderBuilder configuredBuilder(Path file) {
        Objects.requireNonNull(file, "file");
        return LoaderProvider.instance().configuredOptions(file).toBuilder();
    }

    /// Starts loading a checkpoint: a .safetensors file, a directory, an index.json, or a Hugging Face cache folder.
    /// Headers are read and every tensor's place is allocated when this returns; the bytes follow in the background.
    ///
    /// @return the tensors, which the caller closes
    /// @throws io.fastsafetensors.error.FormatException if a file breaks the format
    /// @throws io.fastsafetensors.error.StorageException if one cannot be read, or is replaced or rewritten meanwhile
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there is no storage for its scheme
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
    /// @throws io.fastsafetensors.error.BudgetException if the budget has no room
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted while headers are read
    /// @throws IllegalStateException if the loader was closed before
    Weights load(Location checkpoint);

    /// As [#load(Location)].
    default Weights load(Path checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return load(Location.of(checkpoint));
    }

    /// As [#load(Location)], of those tensors only: what the loader selects, and of that what this selects.
    Weights load(Location checkpoint, Selection selection);

    /// As [#load(Location, Selection)].
    default Weights load(Path checkpoint, Selection selection) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(selection, "selection");
        return load(Location.of(checkpoint), selection);
    }

    /// As [#load(Location)], from files that belong together, in this order.
    Weights loadFiles(List<Location> files);

    /// As [#loadFiles(List)].
    default Weights load(List<Path> files) {
        Objects.requireNonNull(files, "files");
        return loadFiles(files.stream().map(Location::of).toList());
    }

    /// As [#load(Location)], with the files that each rank owns; the same map on every rank. Every rank reads all
    /// headers.
    ///
    /// @param filesByRank ranks without files may be missing
    /// @throws IllegalArgumentException if there is no such rank
    Weights loadFiles(Map<Integer, List<Location>> filesByRank);

    /// As [#loadFiles(Map)].
    default Weights load(Map<Integer, List<Path>> filesByRank) {
        Objects.requireNonNull(filesByRank, "filesByRank");
        Map<Integer, List<Location>> located = new TreeMap<>();
        filesByRank.forEach((rank, files) -> located.put(rank, files.stream().map(Location::of).toList()));
        return loadFiles(located);
    }

    /// What [#load(Location)] would do, without allocating or reading tensors.
    default LoadPlan plan(Location checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return plan(checkpoint, Selection.all());
    }

    /// What [#load(Location, Selection)] would do.
    LoadPlan plan(Location checkpoint, Selection selection);

    /// As [#plan(Location)].
    default LoadPlan plan(Path checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return plan(Location.of(checkpoint));
    }

    /// As [#stream(Location, StreamOptions)], as the loader's options say.
    default TensorStream stream(Location checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return stream(checkpoint, options().stream());
    }

    /// As [#stream(Location)].
    default TensorStream stream(Path checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return stream(Location.of(checkpoint));
    }

    /// Starts loading and hands tensors out in the order in which they arrive, under the loader's budget. With a group each
    /// rank streams by itself: its parts of what the shard specification cuts, and all of the rest.
    ///
    /// @throws IllegalStateException if the loader is closed
    default TensorStream stream(Location checkpoint, StreamOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        return stream(checkpoint, Selection.all(), options);
    }

    /// As [#stream(Location, StreamOptions)], of those tensors only: what the loader selects, and of that what this selects.
    TensorStream stream(Location checkpoint, Selection selection, StreamOptions options);

    /// As [#stream(Location, Selection, StreamOptions)], as the loader's options say.
    default TensorStream stream(Location checkpoint, Selection selection) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(selection, "selection");
        return stream(checkpoint, selection, options().stream());
    }

    /// As [#stream(Location, Selection)].
    default TensorStream stream(Path checkpoint, Selection selection) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(selection, "selection");
        return stream(Location.of(checkpoint), selection);
    }

    /// As [#stream(Location, StreamOptions)].
    default TensorStream stream(Path checkpoint, StreamOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        return stream(Location.of(checkpoint), options);
    }

    /// Rewrites a checkpoint: what [#load(Location)] would load, in the dtype it would load it as. It passes through
    /// the device in pieces, so neither the checkpoint nor a tensor of it has to fit into memory: the loader's device
    /// budget counts or, without one, 96 MiB. Reading goes on while what was read is written, past the page cache where
    /// that works. The progress listener hears of what was read.
    ///
    /// Several files become one unless the options name a shard size or keep the files. Metadata is kept, with what the
    /// options add: each file's own where files are kept, else that of all files together, of which a key that several
    /// files have takes the last one's value. An index that is written has the keys of the one that was read, but for
    /// `total_size`. Digests are made again or left out, as the options say.
    ///
    /// @param checkpoint what to read, as for [#load(Location)]; may be overwritten
    /// @param target the file, or the directory for shards or kept files
    /// @return the files written, the index last
    /// @throws io.fastsafetensors.error.FormatException if a file breaks the format, or the new one would
    /// @throws io.fastsafetensors.error.StorageException if reading or writing fails; what was there before stays
    /// @throws io.fastsafetensors.error.BudgetException if the budget has no room for a piece
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException with a group of several ranks
    /// @throws io.fastsafetensors.error.LoadInterruptedException if the thread is interrupted while it waits for what is
    ///         read; what was there before stays
    /// @throws IllegalStateException if the loader is closed, or if called by a progress listener
    List<Path> rewrite(Location checkpoint, Path target, WriteOptions options);

    /// As [#rewrite(Location, Path, WriteOptions)].
    default List<Path> rewrite(Path checkpoint, Path target, WriteOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(target, "target");
        Objects.requireNonNull(options, "options");
        return rewrite(Location.of(checkpoint), target, options);
    }

    /// Takes over a tensor from another framework through DLPack, without a copy.
    ///
    /// It must be on this loader's device (for the CPU page-locked host memory is as good), contiguous, aligned to its
    /// elements, and of a dtype that the format has. What the producer still does on a stream of its own it must have
    /// finished. Of memory that the struct calls read-only, segments are read-only.
    ///
    /// Ownership passes when this returns: the struct's deleter, if it has one, is called once, when the tensor and all
    /// that keeps its memory (pins, slices, structs made of it) is closed, by the thread that closes the last. If this
    /// throws, the struct is untouched and still the caller's.
    ///
    /// @param managedTensor the address of a `DLManagedTensor` or `DLManagedTensorVersioned`
    /// @param version which of the two
    /// @return a detached tensor named `dlpack`, which the caller closes
    /// @throws IllegalArgumentException if the struct is broken: null, negative dimensions, elements without data
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if it is on another device, of another major
    ///         version or dtype, strided, unaligned or padded; or if native access is denied
    /// @throws IllegalStateException if the loader is closed
    Tensor fromDlpack(long managedTensor, DlpackVersion version);

    /// The options it was built with.
    LoadOptions options();

    /// The device, resolved.
    Device device();

    /// Which backend serves it, why, and why the others do not.
    BackendChoice backend();

    /// Gives back the memory that is kept for the next load and that no load is using: device memory, page-locked slots,
    /// mappings of files that were loaded by [TransferPath#MAPPED], and parsed headers. The next load makes them again.
    ///
    /// @throws IllegalStateException if the loader is closed
    void trim();

    /// Takes no further loads. Idempotent, from any thread, at any moment; waits for no read. Calls that run already go on,
    /// as do the loads and streams that were begun. Reader threads and page-locked memory are released with the last of
    /// them, the device when the last [Weights] and detached tensor is closed too.
    ///
    /// @throws RuntimeException what the backend cannot release, once; everything else is released
    @Override
    void close();
}

package io.fastsafetensors.core;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Diagnostics.BackendReport;
import io.fastsafetensors.api.Diagnostics.GroupReport;
import io.fastsafetensors.api.Diagnostics.StorageReport;
import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderProvider;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.checkpoint.CheckpointFiles;
import io.fastsafetensors.core.config.Configuration;
import io.fastsafetensors.core.config.ShardSpecs;
import io.fastsafetensors.core.dequant.Dequantization;
import io.fastsafetensors.core.header.CheckpointReader;
import io.fastsafetensors.core.header.FileDigests;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.select.Providers;
import io.fastsafetensors.core.storage.SourceFile;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.core.storage.StorageReports;
import io.fastsafetensors.core.storage.Storages;
import io.fastsafetensors.core.storage.cache.CacheDirectory;
import io.fastsafetensors.core.storage.cache.CacheSettings;
import io.fastsafetensors.core.tensor.PartialRead;
import io.fastsafetensors.core.write.CheckpointWriter;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Slice;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/// The entry point of core: passes each call of fst-api to the package that serves it.
///
/// Keeps nothing between calls. Those that open a checkpoint open its storages and files for themselves and close them
/// before they return; what a returned [Checkpoint] reads later ([PartialRead]) is opened again, and must be the same
/// version.
public final class CoreLoaderProvider implements LoaderProvider {
    /// For [java.util.ServiceLoader].
    public CoreLoaderProvider() {
    }

    @Override
    public Loader newLoader(LoadOptions options) {
        return CoreLoader.open(options);
    }

    @Override
    public LoadOptions configuredOptions() {
        return Configuration.load();
    }

    @Override
    public LoadOptions configuredOptions(Path file) {
        return Configuration.load(file);
    }

    @Override
    public ShardSpec shardSpec(Path file) {
        return ShardSpecs.read(file);
    }

    @Override
    public ShardSpec shardSpec(String scheme) {
        return ShardSpecs.shipped(scheme);
    }

    @Override
    public Checkpoint open(Location checkpoint, OpenOptions options) {
        try (Storages storages = Storages.forHeaders(options.storage());
                SourceFiles sources = SourceFiles.closedAtOnce(storages)) {
            return CheckpointReader.open(CheckpointFiles.resolve(checkpoint, sources, options), sources, options);
        }
    }

    @Override
    public Tensor read(Checkpoint checkpoint, String name, Slice... slices) {
        return PartialRead.read(parsed(checkpoint), name, slices);
    }

    @Override
    public Map<Location, String> digests(Location checkpoint, OpenOptions options, Digests digests) {
        try (Storages storages = Storages.open(options.storage());
                SourceFiles sources = SourceFiles.closedAtOnce(storages)) {
            CheckpointFiles files = CheckpointFiles.resolve(checkpoint, sources, options);
            return FileDigests.of(CheckpointReader.open(files, sources, options), digests).sources();
        }
    }

    @Override
    public Map<String, String> quantized(Checkpoint checkpoint) {
        return Dequantization.recognised(parsed(checkpoint));
    }

    /// The checkpoint as core has it; others may implement the interface, and have no headers to read by.
    private static ParsedCheckpoint parsed(Checkpoint checkpoint) {
        if (checkpoint instanceof ParsedCheckpoint parsed) {
            return parsed;
        }
        throw new IllegalArgumentException("a checkpoint that fst did not open: " + checkpoint.location());
    }

    @Override
    public List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        return CheckpointWriter.write(target, tensors, options);
    }

    @Override
    public TensorSource sourceOf(Tensor tensor) {
        return CheckpointWriter.sourceOf(tensor);
    }

    @Override
    public List<BackendReport> backends() {
        return Providers.backendReports();
    }

    @Override
    public List<GroupReport> groups() {
        return Providers.groupReports();
    }

    @Override
    public List<StorageReport> storage(Location checkpoint, OpenOptions options) {
        return forFiles(checkpoint, options, StorageReports::of);
    }

    @Override
    public List<Diagnostics.CachedFile> cache(OpenOptions options) {
        return cacheOf(options).list().stream().map(entry -> new Diagnostics.CachedFile(entry.location(),
                entry.version(), entry.fileBytes(), entry.heldBytes(), entry.lastUsed())).toList();
    }

    @Override
    public long pruneCache(OpenOptions options, long bytes) {
        return cacheOf(options).prune(bytes);
    }

    /// The cache that the options name, whether or not they switch it on: its content is asked about, not used.
    private static CacheDirectory cacheOf(OpenOptions options) {
        return CacheDirectory.of(CacheSettings.of(options.storage().with("cache", "on"), Optional.empty())
                .orElseThrow(() -> new AssertionError("it is switched on")));
    }

    @Override
    public void evict(Location checkpoint, OpenOptions options) {
        forFiles(checkpoint, options, StorageReports::evict);
    }

    /// Calls something for each file of a checkpoint, in its order, while all are open for it.
    private static <T> List<T> forFiles(Location checkpoint, OpenOptions options, Function<SourceFile, T> work) {
        try (Storages storages = Storages.open(options.storage());
                SourceFiles sources = SourceFiles.forLoad(storages)) {
            CheckpointFiles files = CheckpointFiles.resolve(checkpoint, sources, options);
            return CheckpointReader.open(files, sources, options).files().stream()
                    .map(file -> work.apply(sources.file(file))).toList();
        }
    }
}

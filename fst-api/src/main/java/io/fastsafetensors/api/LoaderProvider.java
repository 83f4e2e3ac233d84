package io.fastsafetensors.api;

import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Slice;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// The implementation behind this package, found by [java.util.ServiceLoader]: fst-core. Programs do not call it.
public interface LoaderProvider {
    /// The implementation on the class path or module path.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there is none
    static LoaderProvider instance() {
        return Holder.instance();
    }

    /// See [Loader#of(LoadOptions)].
    Loader newLoader(LoadOptions options);

    /// See [Loader#fromConfig()].
    LoadOptions configuredOptions();

    /// See [Loader#configuredBuilder(Path)].
    LoadOptions configuredOptions(Path file);

    /// See [ShardSpec#read(Path)].
    ShardSpec shardSpec(Path file);

    /// See [ShardSpec#of(String)].
    ShardSpec shardSpec(String scheme);

    /// See [Safetensors#open(Location, OpenOptions)].
    Checkpoint open(Location checkpoint, OpenOptions options);

    /// See [Checkpoint#read(String, Slice...)].
    Tensor read(Checkpoint checkpoint, String name, Slice... slices);

    /// See [Diagnostics#digests(Location, OpenOptions, Digests)].
    Map<Location, String> digests(Location checkpoint, OpenOptions options, Digests digests);

    /// See [Safetensors#quantized(Checkpoint)].
    Map<String, String> quantized(Checkpoint checkpoint);

    /// See [Safetensors#write(Path, List, WriteOptions)].
    List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options);

    /// See [TensorSource#of(Tensor)].
    TensorSource sourceOf(Tensor tensor);

    /// See [Diagnostics#backends()].
    List<Diagnostics.BackendReport> backends();

    /// See [Diagnostics#groups()].
    List<Diagnostics.GroupReport> groups();

    /// See [Diagnostics#storage(Location, OpenOptions)].
    List<Diagnostics.StorageReport> storage(Location checkpoint, OpenOptions options);

    /// See [Diagnostics#cache(OpenOptions)].
    default List<Diagnostics.CachedFile> cache(OpenOptions options) {
        return List.of();
    }

    /// See [Diagnostics#pruneCache(OpenOptions, long)].
    default long pruneCache(OpenOptions options, long bytes) {
        return 0;
    }

    /// See [Diagnostics#evict(Location, OpenOptions)].
    void evict(Location checkpoint, OpenOptions options);
}

package io.fastsafetensors.api;

import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Slice;
import io.fastsafetensors.types.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/// The validated headers of a checkpoint: of one file, or of all shards of a directory or index. Immutable,
/// thread-safe; holds no file open and no data.
///
/// ```java
/// Checkpoint checkpoint = Safetensors.open(path);
/// checkpoint.tensors().forEach(System.out::println);
/// try (Tensor row = checkpoint.read("model.embed_tokens.weight", Slice.at(42))) {
///     float[] values = row.toFloatArray();
/// }
/// ```
public interface Checkpoint {
    /// The location it was opened by.
    Location location();

    /// The index that names its files, if one was found or asked for.
    Optional<Location> index();

    /// Its files, in the order of the index or of their names.
    List<Location> files();

    /// Every tensor, by file and then by offset.
    List<TensorInfo> tensors();

    /// The tensors' names, in the order of [#tensors()].
    Set<String> names();

    /// One tensor.
    ///
    /// @throws io.fastsafetensors.error.TensorNotFoundException if there is none of that name
    TensorInfo info(String name);

    /// Advisory findings: what index, files and directory say differently of one another, and which files were left aside.
    /// Empty if there is nothing to tell. docs/checkpoints.md lists them.
    List<CheckpointNote> notes();

    /// The `__metadata__` of all files together; of keys that several files have, the last file's value.
    Map<String, String> metadata();

    /// The `__metadata__` of one file, empty if it has none.
    ///
    /// @throws IllegalArgumentException if the file is not one of [#files()]
    Map<String, String> metadata(Location file);

    /// What the headers say of tensors whose dtype fst does not know, by name; empty unless opened in lenient mode, which
    /// gives the bytes of such a tensor as U8 of one dimension.
    Map<String, OpaqueType> opaque();

    /// The bytes of all tensors.
    long byteSize();

    /// Reads one tensor, or a part of it, from its file into host memory. Nothing else of the file is read, but for gaps of
    /// up to 8 KiB between two runs of bytes that are wanted. Each call opens the file again and closes it; many tensors are
    /// read faster by a [Loader].
    ///
    /// @param slices one for each of the first dimensions, the rest whole; none for the whole tensor
    /// @return a detached tensor in CPU memory, which the caller closes
    /// @throws io.fastsafetensors.error.TensorNotFoundException if there is none of that name
    /// @throws io.fastsafetensors.error.SliceException if a slice does not fit, or cuts a sub-byte element's byte
    /// @throws io.fastsafetensors.error.StorageException if the file cannot be read, or is not the one any more whose header
    ///         was read
    /// @throws io.fastsafetensors.error.BackendUnavailableException if there is no backend for the CPU
    default Tensor read(String name, Slice... slices) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(slices, "slices");
        return LoaderProvider.instance().read(this, Objects.requireNonNull(name, "name"), slices);
    }
}

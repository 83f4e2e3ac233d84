package io.fastsafetensors.api;

import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.util.List;

/// One-liners: headers, a whole load, writing.
public final class Safetensors {
    private Safetensors() {
    }

    /// Reads and validates headers; no tensor is read, and no file stays open.
    ///
    /// @param checkpoint a .safetensors file, a directory, an index.json, or a Hugging Face cache folder
    /// @throws io.fastsafetensors.error.FormatException if a file breaks the format
    /// @throws io.fastsafetensors.error.StorageException if one cannot be read
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there is no storage for its scheme
    public static Checkpoint open(Location checkpoint) {
        return open(checkpoint, OpenOptions.defaults());
    }

    /// As [#open(Location)].
    public static Checkpoint open(Path checkpoint) {
        return open(Location.of(checkpoint));
    }

    /// As [#open(Location)], more or less strictly, or another variant of the model.
    public static Checkpoint open(Location checkpoint, OpenOptions options) {
        return LoaderProvider.instance().open(checkpoint, options);
    }

    /// As [#open(Location, OpenOptions)].
    public static Checkpoint open(Path checkpoint, OpenOptions options) {
        return open(Location.of(checkpoint), options);
    }

    /// Loads a checkpoint to a device with default options.
    ///
    /// @return the tensors, which the caller closes; the device is released with them
    public static Weights load(Location checkpoint, Device device) {
        Loader loader = Loader.builder().device(device).build();
        try (loader) {
            return loader.load(checkpoint);
        }
    }

    /// As [#load(Location, Device)].
    public static Weights load(Path checkpoint, Device device) {
        return load(Location.of(checkpoint), device);
    }

    /// Writes a checkpoint, streaming and atomically: a file (`x.safetensors`), or with a shard size in the options
    /// as many shards as it takes and an index beside them.
    ///
    /// @param target the file, or the directory for shards
    /// @return the files written
    /// @throws io.fastsafetensors.error.StorageException if writing fails; what was there before stays
    public static List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        return LoaderProvider.instance().write(target, tensors, options);
    }
}

package io.fastsafetensors.api;

import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// One-liners: headers, a whole load, writing.
///
/// ```java
/// Set<String> names = Safetensors.open(path).names();
/// try (Weights weights = Safetensors.load(path, Device.CPU)) {
///     float[] values = weights.get("w").toFloatArray();
/// }
/// Safetensors.write(path, TensorSource.of("w", Shape.of(2, 3), new float[] {1, 2, 3, 4, 5, 6}));
/// ```
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
        Objects.requireNonNull(checkpoint, "checkpoint");
        return open(checkpoint, OpenOptions.defaults());
    }

    /// As [#open(Location)].
    public static Checkpoint open(Path checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return open(Location.of(checkpoint));
    }

    /// As [#open(Location)], from the bytes of one file in memory. To load from there: `loader.load(Location.of(file))`.
    ///
    /// @param file not copied; unchanged for as long as something is read from it
    public static Checkpoint open(byte[] file) {
        Objects.requireNonNull(file, "file");
        return open(Location.of(file));
    }

    /// As [#open(byte\[\])], from any memory.
    ///
    /// @param file not copied; alive and unchanged for as long as something is read from it
    /// @throws IllegalArgumentException if it belongs to one thread
    public static Checkpoint open(MemorySegment file) {
        Objects.requireNonNull(file, "file");
        return open(Location.of(file));
    }

    /// As [#open(Location)], more or less strictly, or another variant of the model.
    public static Checkpoint open(Location checkpoint, OpenOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        return LoaderProvider.instance().open(checkpoint, options);
    }

    /// As [#open(Location, OpenOptions)].
    public static Checkpoint open(Path checkpoint, OpenOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        return open(Location.of(checkpoint), options);
    }

    /// The quantised tensors of a checkpoint that [LoaderBuilder#dequantize] knows how to make plain: a conversion to another
    /// dtype without it leaves them without their scales.
    ///
    /// @return the names of the tensors that have the elements, with the scheme of each in a few words
    public static Map<String, String> quantized(Checkpoint checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return LoaderProvider.instance().quantized(checkpoint);
    }

    /// Loads a checkpoint to a device with default options.
    ///
    /// @return the tensors, which the caller closes; the device is released with them
    public static Weights load(Location checkpoint, Device device) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(device, "device");
        Loader loader = Loader.builder().device(device).build();
        try (loader) {
            return loader.load(checkpoint);
        }
    }

    /// As [#load(Location, Device)].
    public static Weights load(Path checkpoint, Device device) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(device, "device");
        return load(Location.of(checkpoint), device);
    }

    /// Writes a checkpoint, streaming and atomically: a file (`x.safetensors`), or with a shard size in the options
    /// as many shards as it takes and an index next to them.
    ///
    /// @param target the file, or the directory for shards
    /// @return the files written
    /// @throws io.fastsafetensors.error.StorageException if writing fails; what was there before stays
    public static List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        Objects.requireNonNull(target, "target");
        Objects.requireNonNull(tensors, "tensors");
        Objects.requireNonNull(options, "options");
        return LoaderProvider.instance().write(target, tensors, options);
    }

    /// Writes one file of these tensors, as the reference writes it.
    ///
    /// @throws io.fastsafetensors.error.StorageException if writing fails; what was there before stays
    public static void write(Path file, TensorSource... tensors) {
        Objects.requireNonNull(file, "file");
        Objects.requireNonNull(tensors, "tensors");
        write(file, List.of(tensors), WriteOptions.defaults());
    }

    /// Writes one file of loaded tensors by the names to write them under, as the reference writes it.
    ///
    /// @throws io.fastsafetensors.error.StorageException if writing fails; what was there before stays
    public static void write(Path file, Map<String, Tensor> tensors) {
        Objects.requireNonNull(file, "file");
        Objects.requireNonNull(tensors, "tensors");
        write(file, TensorSource.of(tensors), WriteOptions.defaults());
    }
}

package io.fastsafetensors.core.write;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.StorageException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Writes checkpoints out of sources that give their bytes when asked: `Safetensors.write`.
public final class CheckpointWriter {
    private CheckpointWriter() {
    }

    /// Writes a file, or shards and an index if the options cut them. Each source is asked for its bytes once, on this
    /// thread, in the order of the files.
    ///
    /// @param target the file, whose directory exists, or the directory for shards, made if need be
    /// @param tensors what to write; shards fill in this order
    /// @param options metadata, alignment, shard size, digests
    /// @return the files written, the index last
    /// @throws io.fastsafetensors.error.FormatException if names clash, a header is too large, or a source writes
    ///         another number of bytes than its tensor has; what was there before stays
    /// @throws StorageException if writing fails; what was there before stays
    public static List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        List<TensorSpec> items = new ArrayList<>(tensors.size());
        Map<String, TensorSource> sources = new HashMap<>();
        for (TensorSource source : tensors) {
            TensorSpec item = TensorSpec.of(source.name(), source.dtype(), source.shape());
            items.add(item);
            sources.put(item.name(), source);
        }
        try (CheckpointOutput output = new CheckpointOutput(target,
                Layout.of(items, options, Layout.plainIndex(), target), options, false)) {
            output.begin();
            for (TensorSpec item : output.items()) {
                writeTensor(output, item, Objects.requireNonNull(sources.get(item.name())));
            }
            return output.publish();
        }
    }

    private static void writeTensor(CheckpointOutput output, TensorSpec item, TensorSource source) {
        try (TensorChannel channel = new TensorChannel(output, item)) {
            source.writeTo(channel);
            channel.finish();
        } catch (IOException e) {
            throw CheckpointOutput.failure(e, output.fileOf(item.name()));
        }
    }
}

package io.fastsafetensors.core.write;

import io.fastsafetensors.api.WriteOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Says which files a checkpoint is written as: one file, or several and an index in a directory. Pure.
///
/// @param parts the files, at least one
/// @param index the index; empty if there is one file only
public record Layout(List<Part> parts, Optional<Index> index) {
    /// Copies the list.
    public Layout {
        parts = List.copyOf(parts);
    }

    /// Whether the target is a directory rather than the file itself.
    public boolean isInDirectory() {
        return !parts.getFirst().name().isEmpty();
    }

    /// One file.
    ///
    /// @param name its name in the directory; empty if the target is the file itself
    /// @param items its tensors, in their order
    /// @param metadata its `__metadata__`
    public record Part(String name, List<TensorSpec> items, Map<String, String> metadata) {
        /// Copies list and map.
        public Part {
            items = List.copyOf(items);
            metadata = Map.copyOf(metadata);
        }
    }

    /// An index.
    ///
    /// @param name its name in the directory
    /// @param metadata what `metadata` says besides `total_size`: keys to values as ASCII JSON
    /// @param others what it says besides `metadata` and `weight_map`, likewise
    public record Index(String name, Map<String, String> metadata, Map<String, String> others) {
        /// The name that the Hugging Face libraries look for.
        public static final String FILE_NAME = "model.safetensors.index.json";
    }

    /// One file or, if the options cut them, shards; they fill in the order of the items.
    ///
    /// @param index what an index says besides its tensors; unused if there is none
    /// @param target named in errors
    /// @throws io.fastsafetensors.error.FormatException if a name is taken or unusable
    public static Layout of(List<TensorSpec> items, WriteOptions options, Index index, Path target) {
        boolean sharded = options.maxShardBytes() != Long.MAX_VALUE;
        List<List<TensorSpec>> plan =
                ShardPlanner.plan(items, options.maxShardBytes(), options.dataAlignment(), target);
        // An index without tensors names no shard: a directory of one file says the same.
        boolean indexed = sharded && !items.isEmpty();
        List<Part> parts = new ArrayList<>();
        for (List<TensorSpec> shard : plan) {
            String name = !sharded ? ""
                    : indexed ? ShardPlanner.fileName(parts.size(), plan.size()) : ShardPlanner.ONLY_FILE;
            parts.add(new Part(name, shard, options.metadata()));
        }
        return new Layout(parts, indexed ? Optional.of(index) : Optional.empty());
    }

    /// These files, their tensors in the order of a file.
    public static Layout kept(List<Part> parts, WriteOptions options, Index index) {
        return new Layout(parts.stream().map(part -> new Part(part.name(),
                part.items().stream().sorted(TensorSpec.inFile(options.dataAlignment())).toList(), part.metadata()))
                .toList(), Optional.of(index));
    }

    /// What an index says that is written without one to follow.
    public static Index plainIndex() {
        return new Index(Index.FILE_NAME, Map.of(), Map.of());
    }
}

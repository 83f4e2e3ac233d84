package io.fastsafetensors.core.write;

import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// Says which files a checkpoint is written as: one file, or several and an index in a directory. Pure: no file is touched,
/// and the same items and options give the same layout on every machine.
///
/// Shards are filled greedily in the order of the items, as the Hugging Face libraries do it.
///
/// @param parts the files, at least one
/// @param index the index; empty if there is one file only
public record Layout(List<Part> parts, Optional<Index> index) {
    /// The one file of a directory that has no index.
    private static final String ONLY_FILE = "model.safetensors";

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

        /// The text of the index over these files, laid out as the Hugging Face libraries do: names in the order of their
        /// code points, which differs from that of strings beyond the basic plane.
        ///
        /// @throws ArithmeticException if the tensors have more bytes than fit a long
        ByteBuffer encode(List<Part> parts) {
            Map<String, String> weightMap = new TreeMap<>(JsonBytes.BY_CODE_POINT);
            long total = 0;
            for (Part part : parts) {
                for (TensorSpec item : part.items()) {
                    weightMap.put(item.name(), part.name());
                    total = Math.addExact(total, item.byteSize());
                }
            }
            JsonBytes json = new JsonBytes(Integer.MAX_VALUE);
            json.raw("{\n  \"metadata\": {\n    \"total_size\": ").number(total);
            members(json, ",\n    ", metadata);
            json.raw("\n  },\n  \"weight_map\": {");
            String separator = "\n    ";
            for (Map.Entry<String, String> entry : weightMap.entrySet()) {
                json.raw(separator).quoted(entry.getKey()).raw(": ").quoted(entry.getValue());
                separator = ",\n    ";
            }
            json.raw(weightMap.isEmpty() ? "}" : "\n  }");
            members(json, ",\n  ", others);
            json.raw("\n}\n");
            return ByteBuffer.wrap(json.toArray());
        }

        private static void members(JsonBytes json, String separator, Map<String, String> values) {
            values.forEach((key, value) -> json.raw(separator).quoted(key).raw(": ").raw(value));
        }
    }

    /// One file or, if the options cut them, shards; they fill in the order of the items.
    ///
    /// @param index what an index says besides its tensors; unused if there is none
    /// @param target named in errors
    /// @throws FormatException if a name is taken or unusable
    public static Layout of(List<TensorSpec> items, WriteOptions options, Index index, Path target) {
        boolean sharded = options.maxShardBytes() != Long.MAX_VALUE;
        List<List<TensorSpec>> shards = fill(items, options.maxShardBytes(), target);
        // An index without tensors names no shard: a directory of one file says the same.
        boolean indexed = sharded && !items.isEmpty();
        List<Part> parts = new ArrayList<>();
        for (List<TensorSpec> shard : shards) {
            String name = !sharded ? "" : indexed ? shardName(parts.size(), shards.size()) : ONLY_FILE;
            parts.add(new Part(name, inFileOrder(shard, options), options.metadata()));
        }
        return new Layout(parts, indexed ? Optional.of(index) : Optional.empty());
    }

    /// Fills shards in the order given; a tensor larger than a shard gets one to itself. At least one shard, which has no
    /// tensor if there is none.
    ///
    /// @param maxShardBytes the most data bytes of a shard
    private static List<List<TensorSpec>> fill(List<TensorSpec> items, long maxShardBytes, Path target) {
        Set<String> names = new HashSet<>();
        List<List<TensorSpec>> shards = new ArrayList<>();
        List<TensorSpec> shard = new ArrayList<>();
        shards.add(shard);
        long held = 0;
        for (TensorSpec item : items) {
            if (!names.add(item.name()) || item.name().equals(HeaderEncoder.METADATA)) {
                throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME,
                        item.name().equals(HeaderEncoder.METADATA) ? "the format keeps this name for its metadata"
                                : "two tensors of one name",
                        Where.file(target).withTensor(item.name()));
            }
            if (!shard.isEmpty() && item.byteSize() > maxShardBytes - held) {
                shard = new ArrayList<>();
                shards.add(shard);
                held = 0;
            }
            shard.add(item);
            held = Math.addExact(held, item.byteSize());
        }
        return shards;
    }

    /// The name of shard `index` (from 0) of `count`, as the Hugging Face libraries spell it.
    private static String shardName(int index, int count) {
        return "model-" + fiveDigits(index + 1) + "-of-" + fiveDigits(count) + ".safetensors";
    }

    private static String fiveDigits(int number) {
        String digits = Integer.toString(number);
        return "0".repeat(Math.max(0, 5 - digits.length())) + digits;
    }

    private static List<TensorSpec> inFileOrder(List<TensorSpec> items, WriteOptions options) {
        return items.stream().sorted(TensorSpec.inFile(options.dataAlignment())).toList();
    }

    /// These files, their tensors in the order of a file.
    public static Layout kept(List<Part> parts, WriteOptions options, Index index) {
        return new Layout(parts.stream()
                .map(part -> new Part(part.name(), inFileOrder(part.items(), options), part.metadata())).toList(),
                Optional.of(index));
    }

    /// What an index says that is written without one to follow.
    public static Index plainIndex() {
        return new Index(Index.FILE_NAME, Map.of(), Map.of());
    }
}

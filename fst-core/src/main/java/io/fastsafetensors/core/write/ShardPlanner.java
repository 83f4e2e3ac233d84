package io.fastsafetensors.core.write;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Assigns tensors to files, and to offsets in them. Pure.
final class ShardPlanner {
    /// The one file of a directory that has no index.
    static final String ONLY_FILE = "model.safetensors";

    private ShardPlanner() {
    }

    /// Fills shards in the order given; a tensor larger than a shard gets one to itself. At least one shard.
    ///
    /// @param items what to write
    /// @param maxShardBytes the most data bytes a shard
    /// @param dataAlignment see [TensorSpec#inFile(int)]
    /// @param target named in errors
    /// @return the shards, each in the order of its file
    /// @throws FormatException if a name is taken or unusable
    static List<List<TensorSpec>> plan(List<TensorSpec> items, long maxShardBytes, int dataAlignment, Path target) {
        Set<String> names = new HashSet<>();
        List<List<TensorSpec>> shards = new ArrayList<>();
        List<TensorSpec> shard = new ArrayList<>();
        long held = 0;
        for (TensorSpec item : items) {
            if (!names.add(item.name()) || item.name().equals(HeaderEncoder.METADATA)) {
                throw new FormatException(FormatError.DUPLICATE_TENSOR_NAME,
                        item.name().equals(HeaderEncoder.METADATA) ? "the format keeps this name for its metadata"
                                : "two tensors of one name",
                        Where.file(target).withTensor(item.name()));
            }
            if (!shard.isEmpty() && item.byteSize() > maxShardBytes - held) {
                shards.add(inFileOrder(shard, dataAlignment));
                shard = new ArrayList<>();
                held = 0;
            }
            shard.add(item);
            held = Math.addExact(held, item.byteSize());
        }
        shards.add(inFileOrder(shard, dataAlignment));
        return shards;
    }

    /// The name of shard `index` (from 0) of `count`, as the Hugging Face libraries spell it.
    static String fileName(int index, int count) {
        return "model-" + fiveDigits(index + 1) + "-of-" + fiveDigits(count) + ".safetensors";
    }

    private static List<TensorSpec> inFileOrder(List<TensorSpec> items, int dataAlignment) {
        return items.stream().sorted(TensorSpec.inFile(dataAlignment)).toList();
    }

    private static String fiveDigits(int number) {
        String digits = Integer.toString(number);
        return "0".repeat(Math.max(0, 5 - digits.length())) + digits;
    }
}

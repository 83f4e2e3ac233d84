package io.fastsafetensors.core.header;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Whether an index and the shards that it names say the same.
final class IndexCheck {
    private IndexCheck() {
    }

    /// Checks both ways: what the index names, then what the shards hold, then the sum.
    static void check(ShardIndex index, ParsedCheckpoint checkpoint) {
        Map<Location, String> names = new HashMap<>();
        for (Map.Entry<String, String> entry : index.weightMap().entrySet()) {
            TensorInfo tensor = checkpoint.find(entry.getKey());
            if (tensor == null || !names.computeIfAbsent(tensor.file(), Location::name).equals(entry.getValue())) {
                throw new FormatException(FormatError.TENSOR_NOT_IN_SHARD,
                        "the index maps it to " + Printable.escape(entry.getValue()) + elsewhere(tensor),
                        index.location().where().withTensor(entry.getKey()));
            }
        }
        // Every name of the index was found: if there are as many tensors, they are the same ones.
        if (checkpoint.tensors().size() != index.weightMap().size()) {
            throw notNamed(index, checkpoint);
        }
        if (index.totalSize().isPresent() && index.totalSize().getAsLong() != checkpoint.byteSize()) {
            throw new FormatException(FormatError.TOTAL_SIZE_MISMATCH,
                    "total_size is " + Long.toUnsignedString(index.totalSize().getAsLong()) + ", the tensors have "
                            + checkpoint.byteSize() + " bytes",
                    index.location().where());
        }
    }

    private static FormatException notNamed(ShardIndex index, ParsedCheckpoint checkpoint) {
        TensorInfo tensor = checkpoint.tensors().stream()
                .filter(each -> !index.weightMap().containsKey(each.name())).findFirst().orElseThrow();
        return new FormatException(FormatError.TENSOR_NOT_IN_INDEX,
                "the file holds a tensor that " + Printable.escape(index.location().toString()) + " does not name",
                tensor.file().where().withTensor(tensor.name()));
    }

    private static String elsewhere(@Nullable TensorInfo tensor) {
        return tensor == null ? ", where it is not"
                : ", but it is in " + Printable.escape(tensor.file().name());
    }
}

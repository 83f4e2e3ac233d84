package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.HashMap;
import java.util.Map;

/// The digests that a checkpoint's metadata has for its tensors.
final class TensorDigests {
    private TensorDigests() {
    }

    /// How many of the tensors that the options select have one.
    static int count(Location path, LoadOptions options) {
        Checkpoint checkpoint = Safetensors.open(path, options.open());
        Map<Location, Map<String, String>> metadata = new HashMap<>();
        int count = 0;
        for (TensorInfo tensor : checkpoint.tensors()) {
            if (options.selection().test(tensor) && metadata.computeIfAbsent(tensor.file(), checkpoint::metadata)
                    .containsKey(WriteOptions.DIGEST_KEY + tensor.name())) {
                count++;
            }
        }
        return count;
    }

    /// Reads every tensor, some at a time, and compares it with its digest if it has one.
    ///
    /// @return how many have one
    /// @throws io.fastsafetensors.error.FormatException DigestMismatch at the first that differs
    static int compare(Location path, OpenOptions how, ProgressBar bar) {
        try (Loader loader = Loader.builder().open(how).checkDigests(true).progress(bar).build()) {
            bar.restart();
            int count = count(path, loader.options());
            if (count > 0) {
                try (TensorStream stream = loader.stream(path)) {
                    for (Tensor tensor : stream) {
                        tensor.close();
                    }
                }
            }
            return count;
        }
    }
}

package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.Digests;
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
import java.util.TreeMap;

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

    /// The digests that a checkpoint was compared with.
    ///
    /// @param tensors how many tensors have a digest in the metadata
    /// @param files where the digest of each file is that has one
    /// @param without how many tensors have neither
    record Compared(int tensors, Map<Location, String> files, int without) {
        /// In words; empty if there was nothing.
        String told() {
            Map<String, Long> sources = new TreeMap<>();
            files.values().forEach(source -> sources.merge(source, 1L, Long::sum));
            StringBuilder text = new StringBuilder();
            if (tensors > 0) {
                text.append("the metadata of ").append(Sizes.count(tensors, "tensor"));
            }
            sources.forEach((source, count) -> text.append(text.isEmpty() ? "" : ", ").append(source).append(" of ")
                    .append(Sizes.count(count, "file")));
            return text.toString();
        }
    }

    /// Reads every tensor, some at a time, and compares it with its digest, and the files with theirs.
    ///
    /// @throws io.fastsafetensors.error.FormatException DigestMismatch at the first that differs
    static Compared compare(Location path, OpenOptions how, ProgressBar bar) {
        Checkpoint checkpoint = Safetensors.open(path, how);
        Map<Location, String> files = Diagnostics.digests(path, how, Digests.found());
        try (Loader loader = Loader.builder().open(how).checkDigests(true).digests(Digests.found()).progress(bar)
                .build()) {
            bar.restart();
            int count = count(path, loader.options());
            // A tensor that several files have parts of counts as compared where all of them are.
            boolean allFiles = files.size() == checkpoint.files().size();
            int without = (int) checkpoint.tensors().stream().filter(tensor -> !allFiles
                    && !files.containsKey(tensor.file())
                    && !checkpoint.metadata(tensor.file()).containsKey(WriteOptions.DIGEST_KEY + tensor.name()))
                    .count();
            if (count > 0 || !files.isEmpty()) {
                try (TensorStream stream = loader.stream(path)) {
                    for (Tensor tensor : stream) {
                        tensor.close();
                    }
                }
            }
            return new Compared(count, files, without);
        }
    }
}

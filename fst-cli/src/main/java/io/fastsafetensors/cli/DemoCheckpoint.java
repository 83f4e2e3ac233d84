package io.fastsafetensors.cli;

import io.fastsafetensors.api.ProgressListener;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// The demo's weights: written to disk, and digested independently of the writing.
final class DemoCheckpoint {
    /// The result of writing.
    ///
    /// @param files the shards and the index
    /// @param digests the SHA-256 that each tensor must have, by name
    /// @param seconds until all was on disk
    record Written(List<Path> files, Map<String, String> digests, double seconds) {
    }

    private final List<LlamaShapes.Part> parts;
    private final long byteSize;

    /// @param bytes about how large
    DemoCheckpoint(long bytes) {
        parts = LlamaShapes.ofBytes(bytes);
        byteSize = LlamaShapes.sum(parts);
    }

    List<LlamaShapes.Part> parts() {
        return parts;
    }

    long byteSize() {
        return byteSize;
    }

    /// Writes two shards and an index. Meanwhile another thread makes the same bytes again and digests them, so that a
    /// fault on the way to the disk and back cannot hide.
    Written write(Path directory, ProgressListener progress) {
        try (ExecutorService beside = Executors.newSingleThreadExecutor()) {
            Future<Map<String, String>> digests = beside.submit(this::digests);
            long start = System.nanoTime();
            // The tensors in the middle are small, so a limit just over a half makes two shards.
            List<Path> files = Safetensors.write(directory, sources(progress),
                    WriteOptions.defaults().withMaxShardBytes(byteSize / 2 + byteSize / 16));
            double seconds = (System.nanoTime() - start) / 1e9;
            return new Written(files, DigestList.await(digests), seconds);
        }
    }

    private List<TensorSource> sources(ProgressListener progress) {
        Noise noise = new Noise();
        long[] written = {0};
        List<TensorSource> sources = new ArrayList<>();
        for (LlamaShapes.Part part : parts) {
            long seed = seed(part);
            sources.add(TensorSource.of(part.name(), DType.BF16, part.shape(),
                    channel -> noise.generate(seed, part.byteSize(), block -> {
                        written[0] += block.remaining();
                        while (block.hasRemaining()) {
                            channel.write(block);
                        }
                        progress.progress(written[0], byteSize);
                    })));
        }
        return sources;
    }

    private Map<String, String> digests() {
        Noise noise = new Noise();
        MessageDigest digest = DigestList.newSha256();
        Map<String, String> digests = new LinkedHashMap<>();
        for (LlamaShapes.Part part : parts) {
            noise.generate(seed(part), part.byteSize(), digest::update);
            digests.put(part.name(), DigestList.hex(digest));
        }
        return digests;
    }

    private static long seed(LlamaShapes.Part part) {
        return part.name().hashCode();
    }
}

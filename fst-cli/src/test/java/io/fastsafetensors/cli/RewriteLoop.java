package io.fastsafetensors.cli;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Writes a checkpoint over and over, in two versions by turns, until it is killed.
final class RewriteLoop {
    private static final int TENSORS = 6;
    private static final int TENSOR_BYTES = 700_000;

    /// A way to put a version over the one before.
    enum Way {
        /// A file out of memory.
        WRITE,
        /// A file over itself, its data at another alignment.
        REWRITE,
        /// Shards and an index out of memory.
        SHARDS
    }

    private RewriteLoop() {
    }

    public static void main(String[] args) {
        Way way = Way.valueOf(args[0]);
        Path target = Path.of(args[1]);
        for (int round = 0;; round++) {
            write(way, target, round % 2);
            if (round == 1) {
                // By now every class is loaded, and what comes is mostly writing.
                System.out.println("writing");
            }
        }
    }

    /// Puts version 0 or 1 there.
    static void write(Way way, Path target, int version) {
        switch (way) {
            case WRITE -> Safetensors.write(target, sources(version), WriteOptions.defaults());
            case SHARDS -> Safetensors.write(target, sources(version),
                    WriteOptions.defaults().withMaxShardBytes(2 * TENSOR_BYTES));
            case REWRITE -> {
                try (Loader loader = Loader.builder().build()) {
                    loader.rewrite(target, target, WriteOptions.defaults().withDataAlignment(8 << 9 * version));
                }
            }
        }
    }

    private static List<TensorSource> sources(int version) {
        return IntStream.range(0, TENSORS).mapToObj(i -> {
            byte[] bytes = new byte[TENSOR_BYTES];
            Arrays.fill(bytes, (byte) (16 * version + i));
            return TensorSource.of("t" + i, DType.U8, Shape.of(TENSOR_BYTES),
                    channel -> channel.write(ByteBuffer.wrap(bytes)));
        }).toList();
    }
}

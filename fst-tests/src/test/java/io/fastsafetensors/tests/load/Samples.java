package io.fastsafetensors.tests.load;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/// Checkpoints of random bytes with known digests.
final class Samples {
    private Samples() {
    }

    /// Writes tensors `t0`, `t1`, … of `bytes` random bytes each; returns their digests.
    static Map<String, String> write(Path file, int tensors, int bytes, long seed) {
        return write(file, tensors, bytes, seed, "t");
    }

    /// As above, with names of another beginning.
    static Map<String, String> write(Path file, int tensors, int bytes, long seed, String prefix) {
        Random random = new Random(seed);
        Map<String, String> digests = new TreeMap<>();
        List<TensorSource> sources = new ArrayList<>();
        for (int i = 0; i < tensors; i++) {
            byte[] content = new byte[bytes];
            random.nextBytes(content);
            digests.put(prefix + i, hex(sha256().digest(content)));
            sources.add(TensorSource.of(prefix + i, DType.U8, Shape.of(bytes), channel -> {
                ByteBuffer buffer = ByteBuffer.wrap(content);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
            }));
        }
        Safetensors.write(file, sources, WriteOptions.defaults());
        return digests;
    }

    static Map<String, String> digests(Weights weights) {
        Map<String, String> digests = new TreeMap<>();
        for (String name : weights.names()) {
            digests.put(name, digest(weights.get(name)));
        }
        return digests;
    }

    static String digest(Tensor tensor) {
        return digest(tensor.segment());
    }

    static String digest(MemorySegment bytes) {
        MessageDigest sha = sha256();
        for (long at = 0; at < bytes.byteSize(); at += 1 << 30) {
            sha.update(bytes.asSlice(at, Math.min(1 << 30, bytes.byteSize() - at)).asByteBuffer());
        }
        return hex(sha.digest());
    }

    private static String hex(byte[] digest) {
        return HexFormat.of().formatHex(digest);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}

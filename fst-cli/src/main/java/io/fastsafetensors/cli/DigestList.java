package io.fastsafetensors.cli;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/// SHA-256 of tensors, in lower-case hexadecimal.
final class DigestList {
    // The most that one ByteBuffer shows of a larger tensor.
    private static final long WINDOW = 1L << 30;

    private DigestList() {
    }

    static MessageDigest newSha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    /// The digest of every tensor, by name, on all cores.
    static Map<String, String> sha256(Weights weights) {
        Map<String, Future<String>> running = new LinkedHashMap<>();
        try (ExecutorService threads = Executors.newFixedThreadPool(threads(weights))) {
            for (String name : weights.names()) {
                running.put(name, threads.submit(() -> {
                    try (Tensor tensor = weights.get(name)) {
                        return sha256(tensor);
                    }
                }));
            }
            Map<String, String> digests = new LinkedHashMap<>();
            running.forEach((name, digest) -> digests.put(name, await(digest)));
            return digests;
        }
    }

    static <T> T await(Future<T> result) {
        try {
            return result.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted", e);
        }
    }

    private static int threads(Weights weights) {
        return Math.clamp(weights.names().size(), 1, Runtime.getRuntime().availableProcessors());
    }

    private static String sha256(Tensor tensor) {
        if (tensor.isHostAddressable()) {
            return sha256(tensor.segment());
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(tensor.byteSize(), 8);
            tensor.copyTo(copy);
            return sha256(copy);
        }
    }

    private static String sha256(MemorySegment bytes) {
        MessageDigest digest = newSha256();
        for (long at = 0; at < bytes.byteSize(); at += WINDOW) {
            digest.update(bytes.asSlice(at, Math.min(WINDOW, bytes.byteSize() - at)).asByteBuffer());
        }
        return hex(digest);
    }
}

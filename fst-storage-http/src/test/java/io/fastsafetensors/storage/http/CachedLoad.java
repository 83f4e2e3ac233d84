package io.fastsafetensors.storage.http;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/// Loads a checkpoint through a cache and prints a digest of all that was loaded, or what failed. Arguments: an address, the
/// cache's directory, its bound. Prints `loading` before.
final class CachedLoad {
    private CachedLoad() {
    }

    public static void main(String[] args) {
        System.out.println("loading");
        System.out.println(digest(args[0], Path.of(args[1]), args[2]));
    }

    static LoaderBuilder builder(Path cache, String bytes) {
        return Loader.builder().blockBytes(1 << 16).storageProperty("cache.directory", cache.toString())
                .storageProperty("cache.bytes", bytes).storageProperty("http.retryDelay", "0.001");
    }

    static String digest(String address, Path cache, String bytes) {
        return digest(address, builder(cache, bytes), Selection.all());
    }

    static String digest(String address, LoaderBuilder builder, Selection selection) {
        try (Loader loader = builder.build(); Weights weights = loader.load(Location.of(address), selection)) {
            weights.awaitAll();
            return digest(weights);
        }
    }

    static String digest(Weights weights) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            for (String name : List.copyOf(weights.names()).stream().sorted().toList()) {
                sha.update(weights.get(name).segment().asByteBuffer());
            }
            return HexFormat.of().formatHex(sha.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}

package io.fastsafetensors.api;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/// SHA-256 digests that files and tensors are expected to have, from somewhere else than the files themselves. Immutable.
///
/// ```java
/// Digests pinned = Digests.ofFiles(Map.of("model.safetensors", "9f86d081884c7d65…"));
/// try (Loader loader = Loader.builder().digests(pinned).build(); Weights weights = loader.load(path)) {
///     weights.awaitAll();
/// }
/// Loader.builder().digests(Digests.found());       // SHA256SUMS beside the files, names of Hugging Face blobs
/// ```
///
/// @param files by the last name of the file
/// @param tensors by the name of the tensor
/// @param find whether files that are not named here have the digest that lies beside them: in a file `SHA256SUMS` or
///        `NAME.sha256` as `sha256sum` writes them, or in the name of the Hugging Face blob that a link leads to
public record Digests(Map<String, String> files, Map<String, String> tensors, boolean find) {
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final Digests NONE = new Digests(Map.of(), Map.of(), false);

    /// Copies the maps, in lower case.
    ///
    /// @throws IllegalArgumentException if a digest is not 64 hexadecimal digits
    public Digests {
        files = lowerCase(Objects.requireNonNull(files, "files"));
        tensors = lowerCase(Objects.requireNonNull(tensors, "tensors"));
    }

    private static Map<String, String> lowerCase(Map<String, String> digests) {
        Map<String, String> lower = new HashMap<>();
        digests.forEach((name, digest) -> {
            String text = digest.toLowerCase(Locale.ROOT);
            if (!SHA256.matcher(text).matches()) {
                throw new IllegalArgumentException("\"" + digest + "\" is no SHA-256: expected 64 hexadecimal digits");
            }
            lower.put(name, text);
        });
        return Map.copyOf(lower);
    }

    /// Nothing is expected.
    public static Digests none() {
        return NONE;
    }

    /// Of files, by their last names.
    public static Digests ofFiles(Map<String, String> digests) {
        return new Digests(digests, Map.of(), false);
    }

    /// Of tensors' bytes, by their names.
    public static Digests ofTensors(Map<String, String> digests) {
        return new Digests(Map.of(), digests, false);
    }

    /// Of files, as far as they lie beside them.
    public static Digests found() {
        return NONE.withFind(true);
    }

    /// The same, and what lies beside the files or not.
    public Digests withFind(boolean look) {
        return new Digests(files, tensors, look);
    }

    /// The same with digests of tensors.
    public Digests withTensors(Map<String, String> digests) {
        return new Digests(files, digests, find);
    }
}

package io.fastsafetensors.api;

import io.fastsafetensors.spi.storage.StorageOptions;
import java.util.Objects;
import java.util.Optional;

/// Options for opening a checkpoint: the files that count, how headers are read, and what is an error.
///
/// @param lenient accepts bytes after the last tensor, headers up to `maxHeaderBytes`, and dtypes that are not known, whose
///        tensors are opaque bytes ([Checkpoint#opaque()]); off by default
/// @param maxHeaderBytes the largest header; the format's own cap unless lenient
/// @param strict makes every note ([Checkpoint#notes()]) an error of the same name; off by default
/// @param onlyIndexed loads just the tensors that the index names, where there is one; off by default, when tensors that
///        an index leaves out are loaded too
/// @param variant which of several variants of a model in one directory is meant, such as `fp16`: only files and indexes
///        with this part in their names count
/// @param storage what storages are told when they are opened; shows names only, because values may be secret
public record OpenOptions(boolean lenient, long maxHeaderBytes, boolean strict, boolean onlyIndexed,
        Optional<String> variant, StorageOptions storage) {
    /// The reference implementation's cap on a header, in bytes.
    public static final long FORMAT_HEADER_CAP = 100_000_000;
    /// The cap in lenient mode unless another is given: real headers of 126 MB exist.
    public static final long LENIENT_HEADER_CAP = 1L << 30;

    private static final OpenOptions DEFAULTS =
            new OpenOptions(false, FORMAT_HEADER_CAP, false, false, Optional.empty(), StorageOptions.none());

    /// @throws IllegalArgumentException if a header cap above the format's comes without lenient mode, or a variant is empty
    ///         or no part of a file name
    public OpenOptions {
        Objects.requireNonNull(storage, "storage");
        if (maxHeaderBytes < 0 || (!lenient && maxHeaderBytes > FORMAT_HEADER_CAP)) {
            throw new IllegalArgumentException("a header cap of " + maxHeaderBytes + " bytes needs lenient mode");
        }
        if (variant.filter(text -> text.isEmpty() || text.indexOf('/') >= 0 || text.indexOf('\\') >= 0).isPresent()) {
            throw new IllegalArgumentException("\"" + variant.get() + "\" is no variant; such as fp16");
        }
    }

    /// Without properties for storages.
    public OpenOptions(boolean lenient, long maxHeaderBytes, boolean strict, boolean onlyIndexed,
            Optional<String> variant) {
        this(lenient, maxHeaderBytes, strict, onlyIndexed, variant, StorageOptions.none());
    }

    /// The format's law, and where fst is stricter; advisory findings are notes.
    public static OpenOptions defaults() {
        return DEFAULTS;
    }

    /// Trailing bytes, large headers and unknown dtypes accepted.
    public static OpenOptions lenientMode() {
        return DEFAULTS.withLenient(true);
    }

    /// The same with or without lenient mode, and the header cap that belongs to it.
    public OpenOptions withLenient(boolean accept) {
        return new OpenOptions(accept, accept ? LENIENT_HEADER_CAP : FORMAT_HEADER_CAP, strict, onlyIndexed, variant,
                storage);
    }

    /// The same with another cap on headers.
    public OpenOptions withMaxHeaderBytes(long bytes) {
        return new OpenOptions(lenient, bytes, strict, onlyIndexed, variant, storage);
    }

    /// The same with notes as errors or not.
    public OpenOptions withStrict(boolean refuse) {
        return new OpenOptions(lenient, maxHeaderBytes, refuse, onlyIndexed, variant, storage);
    }

    /// The same with or without the tensors that an index leaves out.
    public OpenOptions withOnlyIndexed(boolean only) {
        return new OpenOptions(lenient, maxHeaderBytes, strict, only, variant, storage);
    }

    /// The same for this variant.
    public OpenOptions withVariant(String name) {
        return new OpenOptions(lenient, maxHeaderBytes, strict, onlyIndexed, Optional.of(name), storage);
    }

    /// The same with one more property for storages, such as `s3.region`, or with another value of it; each storage
    /// documents its own, and those of others are ignored.
    public OpenOptions withStorageProperty(String name, String value) {
        return new OpenOptions(lenient, maxHeaderBytes, strict, onlyIndexed, variant, storage.with(name, value));
    }
}

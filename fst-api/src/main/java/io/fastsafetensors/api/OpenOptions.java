package io.fastsafetensors.api;

import java.util.Optional;

/// How a checkpoint is opened: which files count, how headers are read, and what is an error.
///
/// @param lenient accepts bytes after the last tensor, headers up to `maxHeaderBytes`, and dtypes that are not known, whose
///        tensors are opaque bytes ([Checkpoint#opaque()]); off by default
/// @param maxHeaderBytes the largest header; the format's own cap unless lenient
/// @param strict makes every note ([Checkpoint#notes()]) an error of the same name; off by default
/// @param onlyIndexed loads just the tensors that the index names, where there is one; off by default, when tensors that
///        an index leaves out are loaded too
/// @param variant which of several variants of a model in one directory is meant, such as `fp16`: only files and indexes
///        with this part in their names count
public record OpenOptions(boolean lenient, long maxHeaderBytes, boolean strict, boolean onlyIndexed,
        Optional<String> variant) {
    /// The reference implementation's cap on a header, in bytes.
    public static final long FORMAT_HEADER_CAP = 100_000_000;
    /// The cap in lenient mode unless another is given: real headers of 126 MB exist.
    public static final long LENIENT_HEADER_CAP = 1L << 30;

    private static final OpenOptions DEFAULTS =
            new OpenOptions(false, FORMAT_HEADER_CAP, false, false, Optional.empty());

    /// @throws IllegalArgumentException if a header cap above the format's comes without lenient mode, or a variant is empty
    ///         or no part of a file name
    public OpenOptions {
        if (maxHeaderBytes < 0 || (!lenient && maxHeaderBytes > FORMAT_HEADER_CAP)) {
            throw new IllegalArgumentException("a header cap of " + maxHeaderBytes + " bytes needs lenient mode");
        }
        if (variant.filter(text -> text.isEmpty() || text.indexOf('/') >= 0 || text.indexOf('\\') >= 0).isPresent()) {
            throw new IllegalArgumentException("\"" + variant.get() + "\" is no variant; such as fp16");
        }
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
        return new OpenOptions(accept, accept ? LENIENT_HEADER_CAP : FORMAT_HEADER_CAP, strict, onlyIndexed, variant);
    }

    /// The same with another cap on headers.
    public OpenOptions withMaxHeaderBytes(long bytes) {
        return new OpenOptions(lenient, bytes, strict, onlyIndexed, variant);
    }

    /// The same with notes as errors or not.
    public OpenOptions withStrict(boolean refuse) {
        return new OpenOptions(lenient, maxHeaderBytes, refuse, onlyIndexed, variant);
    }

    /// The same with or without the tensors that an index leaves out.
    public OpenOptions withOnlyIndexed(boolean only) {
        return new OpenOptions(lenient, maxHeaderBytes, strict, only, variant);
    }

    /// The same for this variant.
    public OpenOptions withVariant(String name) {
        return new OpenOptions(lenient, maxHeaderBytes, strict, onlyIndexed, Optional.of(name));
    }
}

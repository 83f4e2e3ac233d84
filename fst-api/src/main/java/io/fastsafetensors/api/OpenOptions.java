package io.fastsafetensors.api;

/// How headers are read.
///
/// @param lenient accepts bytes after the last tensor and headers up to `maxHeaderBytes`; off by default
/// @param maxHeaderBytes the largest header; the format's own cap unless lenient
public record OpenOptions(boolean lenient, long maxHeaderBytes) {
    /// The reference implementation's cap on a header, in bytes.
    public static final long FORMAT_HEADER_CAP = 100_000_000;
    /// The cap in lenient mode unless another is given: real headers of 126 MB exist.
    public static final long LENIENT_HEADER_CAP = 1L << 30;

    /// @throws IllegalArgumentException if a strict reader is given a higher cap than the format's
    public OpenOptions {
        if (maxHeaderBytes < 0 || (!lenient && maxHeaderBytes > FORMAT_HEADER_CAP)) {
            throw new IllegalArgumentException("a header cap of " + maxHeaderBytes + " bytes needs lenient mode");
        }
    }

    /// The format's law, and where fst is stricter.
    public static OpenOptions strict() {
        return new OpenOptions(false, FORMAT_HEADER_CAP);
    }

    /// Trailing bytes and large headers accepted.
    public static OpenOptions lenientMode() {
        return new OpenOptions(true, LENIENT_HEADER_CAP);
    }
}

package io.fastsafetensors.api;

import java.util.Map;
import java.util.Objects;

/// Options for writing a checkpoint.
///
/// @param metadata the `__metadata__` of every file; when rewriting, what is added to it
/// @param dataAlignment the data section starts at a multiple of this, by spaces after the header; 8 is what the
///        reference writes, 4096 suits direct reads. Above 8, tensors whose size is a multiple of it come first and
///        start at one too; the others follow by the largest power of two in their size, so that each is aligned to
///        that. With 8 they stand in the reference's order: largest dtype first, then by name
/// @param maxShardBytes the most data bytes a file; more makes shards and an index
/// @param digests whether each tensor's SHA-256 goes into the metadata, see [#DIGEST_KEY]
/// @param keepFiles whether rewriting a checkpoint of several files, or one with an index, makes files of the same names in
///        a directory, each with the tensors and the metadata of its own, and an index; `maxShardBytes` does not count then
///
/// ```java
/// Safetensors.write(directory, sources, WriteOptions.defaults().withMaxShardBytes(5L << 30).withDigests(true));
/// ```
public record WriteOptions(Map<String, String> metadata, int dataAlignment, long maxShardBytes, boolean digests,
        boolean keepFiles) {
    /// What comes before a tensor's name in the key of its digest: the `__metadata__` of the tensor's file maps
    /// `fst.sha256.NAME` to the SHA-256 of the tensor's bytes in that file, as 64 lower-case hexadecimal digits.
    public static final String DIGEST_KEY = "fst.sha256.";

    /// The largest data alignment, in bytes: the header with its padding stays below the format's cap.
    public static final int LARGEST_ALIGNMENT = 1 << 26;

    /// @throws IllegalArgumentException if the alignment is no power of two from 8 to [#LARGEST_ALIGNMENT], or the shard
    ///         size not positive
    public WriteOptions {
        Objects.requireNonNull(metadata, "metadata");
        metadata = Map.copyOf(metadata);
        if (dataAlignment < 8 || dataAlignment > LARGEST_ALIGNMENT || Integer.bitCount(dataAlignment) != 1) {
            throw new IllegalArgumentException("a data alignment of " + dataAlignment
                    + " bytes; expected a power of two from 8 to 64 MiB");
        }
        if (maxShardBytes <= 0) {
            throw new IllegalArgumentException("shards of " + maxShardBytes + " bytes; expected 1 or more");
        }
    }

    /// Without keeping files.
    public WriteOptions(Map<String, String> metadata, int dataAlignment, long maxShardBytes, boolean digests) {
        this(metadata, dataAlignment, maxShardBytes, digests, false);
    }

    /// One file, as the reference writes it.
    public static WriteOptions defaults() {
        return new WriteOptions(Map.of(), 8, Long.MAX_VALUE, false);
    }

    /// The same, cut into shards of at most `bytes`.
    public WriteOptions withMaxShardBytes(long bytes) {
        return new WriteOptions(metadata, dataAlignment, bytes, digests, keepFiles);
    }

    /// The same with the data at multiples of `bytes`.
    public WriteOptions withDataAlignment(int bytes) {
        return new WriteOptions(metadata, bytes, maxShardBytes, digests, keepFiles);
    }

    /// The same with or without digests.
    public WriteOptions withDigests(boolean write) {
        return new WriteOptions(metadata, dataAlignment, maxShardBytes, write, keepFiles);
    }

    /// The same with other metadata.
    public WriteOptions withMetadata(Map<String, String> entries) {
        Objects.requireNonNull(entries, "entries");
        return new WriteOptions(entries, dataAlignment, maxShardBytes, digests, keepFiles);
    }

    /// The same with or without the files of the checkpoint that is rewritten.
    public WriteOptions withKeepFiles(boolean keep) {
        return new WriteOptions(metadata, dataAlignment, maxShardBytes, digests, keep);
    }
}

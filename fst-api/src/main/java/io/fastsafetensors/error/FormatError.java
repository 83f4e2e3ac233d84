package io.fastsafetensors.error;

/// Every way in which a file or a checkpoint can be wrong.
///
/// The first eleven are the reference implementation's (huggingface/safetensors 0.8.0), found in its order of
/// checks; the others are where fst is stricter, and what can be wrong with several files together.
public enum FormatError {
    /// The file is shorter than the 8 bytes of the header's length.
    HEADER_TOO_SMALL("HeaderTooSmall"),
    /// The header's length is over the cap (100,000,000 bytes, more in lenient mode).
    HEADER_TOO_LARGE("HeaderTooLarge"),
    /// The file ends before the header does.
    INVALID_HEADER_LENGTH("InvalidHeaderLength"),
    /// The header is not UTF-8.
    INVALID_HEADER("InvalidHeader"),
    /// The header is not the JSON that the format asks for.
    INVALID_HEADER_DESERIALIZATION("InvalidHeaderDeserialization"),
    /// A tensor does not begin where the one before it ended: hole, overlap, duplicate range, or end before begin.
    INVALID_OFFSET("InvalidOffset"),
    /// The number of elements or bits does not fit 64 bits.
    VALIDATION_OVERFLOW("ValidationOverflow"),
    /// A sub-byte dtype whose bits do not fill whole bytes.
    MISALIGNED_SLICE("MisalignedSlice"),
    /// Shape × dtype is not the length of the range.
    TENSOR_INVALID_INFO("TensorInvalidInfo"),
    /// The ranges do not end exactly where the file does.
    METADATA_INCOMPLETE_BUFFER("MetadataIncompleteBuffer"),
    /// A tensor's bytes do not fit its dtype and shape (when writing).
    INVALID_TENSOR_VIEW("InvalidTensorView"),
    /// One tensor name twice, in one file or over the files of a checkpoint where no index says which counts; a note where
    /// it does. Stricter than the reference.
    DUPLICATE_TENSOR_NAME("DuplicateTensorName"),
    /// A valid, empty tensor with a dimension that is no Java long.
    UNSUPPORTED_SHAPE("UnsupportedShape"),
    /// index.json is not the JSON that it must be.
    INVALID_INDEX("InvalidIndex"),
    /// index.json names a shard that is not a plain file name inside the directory.
    UNSAFE_SHARD_NAME("UnsafeShardName"),
    /// A shard is not there that index.json names, or that the names of the others count (`-00001-of-00003`).
    MISSING_SHARD("MissingShard"),
    /// index.json maps a tensor to a shard that does not have it. A note unless strict.
    TENSOR_NOT_IN_SHARD("TensorNotInShard"),
    /// A shard has a tensor that index.json does not name. A note unless strict.
    TENSOR_NOT_IN_INDEX("TensorNotInIndex"),
    /// index.json's `total_size` is not the sum of the tensors' bytes, or no whole number. A note unless strict.
    TOTAL_SIZE_MISMATCH("TotalSizeMismatch"),
    /// A directory holds files that were left aside because others were chosen. A note unless strict.
    FILES_LEFT_ASIDE("FilesLeftAside"),
    /// A directory holds several checkpoints, and nothing says which is meant.
    AMBIGUOUS_CHECKPOINT("AmbiguousCheckpoint"),
    /// The parts of a tensor that several files of a PyTorch distributed checkpoint hold do not make a whole one.
    INVALID_SHARDING("InvalidSharding"),
    /// A tensor is to be de-quantised, and its scales are missing or do not fit it.
    INVALID_QUANTIZATION("InvalidQuantization"),
    /// A tensor's dtype is none that fst knows: `InvalidHeaderDeserialization` unless lenient, then a note unless strict.
    UNKNOWN_DTYPE("UnknownDType"),
    /// The path holds no checkpoint.
    NO_CHECKPOINT("NoCheckpoint"),
    /// A tensor's digest in the metadata is not the digest of its bytes.
    DIGEST_MISMATCH("DigestMismatch");

    private final String label;

    FormatError(String label) {
        this.label = label;
    }

    /// The stable name that commands print.
    public String label() {
        return label;
    }
}

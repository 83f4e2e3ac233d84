package io.fastsafetensors.spi;

/// A backend's preferred transfer parameters; core follows them unless the user says otherwise.
///
/// @param tensorAlignment bytes that every tensor's address is a multiple of; a power of two
/// @param blockBytes the best size of one read or copy
/// @param readers reader threads that saturate the way in, 0 to let core choose by cores
/// @param slotsPerReader staging slots each reader owns, at least 2 where copies are asynchronous
public record TransferHints(long tensorAlignment, int blockBytes, int readers, int slotsPerReader) {
    /// @throws IllegalArgumentException if the alignment is no power of two or a size not positive
    public TransferHints {
        if (Long.bitCount(tensorAlignment) != 1 || blockBytes < 4096 || readers < 0 || slotsPerReader < 1) {
            throw new IllegalArgumentException("bad transfer hints: alignment " + tensorAlignment + ", block "
                    + blockBytes + ", readers " + readers + ", slots " + slotsPerReader);
        }
    }
}

package io.fastsafetensors.spi;

import java.util.Objects;

/// How this backend wants to be fed; core follows unless the user says otherwise. Immutable; made by changing
/// [#defaults()].
public final class TransferHints {
    private static final TransferHints DEFAULTS = new TransferHints(256, 4 << 20, 0, 2);

    private final long tensorAlignment;
    private final int blockBytes;
    private final int readers;
    private final int slotsPerReader;

    /// What version 1 of the SPI had; [#defaults()] has what was added since.
    ///
    /// @param tensorAlignment bytes that every tensor's address is a multiple of; a power of two
    /// @param blockBytes the best size of one read or copy
    /// @param readers reader threads that saturate the link to the device, 0 to let core choose by cores
    /// @param slotsPerReader staging slots each reader owns, at least 2 where copies are asynchronous
    /// @throws IllegalArgumentException if the alignment is no power of two or a size not positive
    public TransferHints(long tensorAlignment, int blockBytes, int readers, int slotsPerReader) {
        if (Long.bitCount(tensorAlignment) != 1 || blockBytes < 4096 || readers < 0 || slotsPerReader < 1) {
            throw new IllegalArgumentException("bad transfer hints: alignment " + tensorAlignment + ", block "
                    + blockBytes + ", readers " + readers + ", slots " + slotsPerReader);
        }
        this.tensorAlignment = tensorAlignment;
        this.blockBytes = blockBytes;
        this.readers = readers;
        this.slotsPerReader = slotsPerReader;
    }

    /// Tensors at multiples of 256 bytes, blocks of 4 MiB, as many readers as core chooses, two slots for each: safe for
    /// every device.
    public static TransferHints defaults() {
        return DEFAULTS;
    }

    /// The same, with this [#tensorAlignment()].
    public TransferHints withTensorAlignment(long bytes) {
        return new TransferHints(bytes, blockBytes, readers, slotsPerReader);
    }

    /// The same, with these [#blockBytes()].
    public TransferHints withBlockBytes(int bytes) {
        return new TransferHints(tensorAlignment, bytes, readers, slotsPerReader);
    }

    /// The same, with so many [#readers()].
    public TransferHints withReaders(int threads) {
        return new TransferHints(tensorAlignment, blockBytes, threads, slotsPerReader);
    }

    /// The same, with so many [#slotsPerReader()].
    public TransferHints withSlotsPerReader(int slots) {
        return new TransferHints(tensorAlignment, blockBytes, readers, slots);
    }

    /// Bytes that every tensor's address is a multiple of; a power of two.
    public long tensorAlignment() {
        return tensorAlignment;
    }

    /// The best size of one read or copy.
    public int blockBytes() {
        return blockBytes;
    }

    /// Reader threads that saturate the link to the device, 0 to let core choose by cores.
    public int readers() {
        return readers;
    }

    /// Staging slots each reader owns, at least 2 where copies are asynchronous.
    public int slotsPerReader() {
        return slotsPerReader;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TransferHints that && tensorAlignment == that.tensorAlignment
                && blockBytes == that.blockBytes && readers == that.readers && slotsPerReader == that.slotsPerReader;
    }

    @Override
    public int hashCode() {
        return Objects.hash(tensorAlignment, blockBytes, readers, slotsPerReader);
    }

    @Override
    public String toString() {
        return "TransferHints[tensorAlignment=" + tensorAlignment + ", blockBytes=" + blockBytes + ", readers="
                + readers
                + ", slotsPerReader=" + slotsPerReader + "]";
    }
}

package io.fastsafetensors.spi;

public record TransferHints(long tensorAlignment, int blockBytes, int readers, int slotsPerReader) {
    public TransferHints {
        if (Long.bitCount(tensorAlignment) != 1 || blockBytes < 4096 || readers < 0 || slotsPerReader < 1) {
            throw new IllegalArgumentException("bad transfer hints: alignment " + tensorAlignment + ", block "
                    + blockBytes + ", readers " + readers + ", slots " + slotsPerReader);
        }
    }
}

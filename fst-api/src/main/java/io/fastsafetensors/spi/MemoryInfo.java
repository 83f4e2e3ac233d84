package io.fastsafetensors.spi;

/// A device's memory at one moment. Immutable; made by [#of(long, long)].
public final class MemoryInfo {
    private static final MemoryInfo UNKNOWN = new MemoryInfo(-1, -1);

    private final long free;
    private final long total;

    /// What version 1 of the SPI had; others use [#of(long, long)].
    ///
    /// @param free bytes that could still be allocated, −1 if the device does not say
    /// @param total bytes in all, −1 if the device does not say
    public MemoryInfo(long free, long total) {
        this.free = free;
        this.total = total;
    }

    /// The memory that a device says it has.
    ///
    /// @param free bytes that could still be allocated, −1 if the device does not say
    /// @param total bytes in all, −1 if the device does not say
    public static MemoryInfo of(long free, long total) {
        return new MemoryInfo(free, total);
    }

    /// Of a device that says neither.
    public static MemoryInfo unknown() {
        return UNKNOWN;
    }

    /// Bytes that could still be allocated, −1 if the device does not say.
    public long free() {
        return free;
    }

    /// Bytes in all, −1 if the device does not say.
    public long total() {
        return total;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof MemoryInfo that && free == that.free && total == that.total;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(free * 31 + total);
    }

    @Override
    public String toString() {
        return "MemoryInfo[free=" + free + ", total=" + total + "]";
    }
}

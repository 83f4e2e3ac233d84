package io.fastsafetensors.spi;

/// A device's memory at one moment.
///
/// @param free bytes that could still be allocated, −1 if the device does not say
/// @param total bytes in all, −1 if the device does not say
public record MemoryInfo(long free, long total) {
}

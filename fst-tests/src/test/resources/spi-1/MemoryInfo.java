package io.fastsafetensors.spi;

public record MemoryInfo(long free, long total) {
}

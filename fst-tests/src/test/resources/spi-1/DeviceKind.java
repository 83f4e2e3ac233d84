package io.fastsafetensors.spi;

public enum DeviceKind {
    CPU,
    GPU,
    ACCELERATOR
}

package io.fastsafetensors.spi;

public enum Capability {
    HOST_ADDRESSABLE,
    KERNELS,
    ASYNCHRONOUS_COPIES,
    DIRECT_STORAGE,
    HOST_REGISTRATION,
    POINTERS
}

package io.fastsafetensors.spi;

import io.fastsafetensors.types.Device;

public interface BackendProvider {
    String name();

    String deviceType();

    int priority();

    Probe probe();

    Backend open(Device device, BackendOptions options);
}

package io.fastsafetensors.spi;

import io.fastsafetensors.types.Device;
import java.util.Map;

public record DeviceInfo(Device device, DeviceKind kind, String name, long totalBytes, int numaNode,
        Map<String, String> attributes) {
    public DeviceInfo {
        attributes = Map.copyOf(attributes);
    }
}

package io.fastsafetensors.spi;

import io.fastsafetensors.types.Device;
import java.util.Map;

/// One device as its backend describes it.
///
/// @param device the device
/// @param kind what sort of thing it is
/// @param name its model, such as `NVIDIA H200`
/// @param totalBytes its memory
/// @param numaNode the host's NUMA node that it hangs on, −1 if unknown or meaningless
/// @param attributes further facts for people, such as the PCI bus id and link width
public record DeviceInfo(Device device, DeviceKind kind, String name, long totalBytes, int numaNode,
        Map<String, String> attributes) {
    /// Copies the map.
    public DeviceInfo {
        attributes = Map.copyOf(attributes);
    }
}

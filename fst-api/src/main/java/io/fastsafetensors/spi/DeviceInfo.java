package io.fastsafetensors.spi;

import io.fastsafetensors.types.Device;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// One device as its backend describes it. Immutable; made by [#of(Device, DeviceKind, String)].
public final class DeviceInfo {
    private final Device device;
    private final DeviceKind kind;
    private final String name;
    private final long totalBytes;
    private final int numaNode;
    private final Map<String, String> attributes;
    private final List<Integer> dlpackTypes;

    private DeviceInfo(Device device, DeviceKind kind, String name, long totalBytes, int numaNode,
            Map<String, String> attributes, List<Integer> dlpackTypes) {
        this.device = Objects.requireNonNull(device, "device");
        this.kind = Objects.requireNonNull(kind, "kind");
        this.name = Objects.requireNonNull(name, "name");
        this.totalBytes = totalBytes;
        this.numaNode = numaNode;
        this.attributes = Map.copyOf(attributes);
        this.dlpackTypes = List.copyOf(dlpackTypes);
    }

    /// What version 1 of the SPI had; [#of(Device, DeviceKind, String)] can say what was added since.
    ///
    /// @param device the device
    /// @param kind what sort of thing it is
    /// @param name its model, such as `NVIDIA H200`
    /// @param totalBytes its memory
    /// @param numaNode the host's NUMA node that it hangs on, −1 if unknown or meaningless
    /// @param attributes further facts for people, such as the PCI bus id and link width
    public DeviceInfo(Device device, DeviceKind kind, String name, long totalBytes, int numaNode,
            Map<String, String> attributes) {
        this(device, kind, name, totalBytes, numaNode, attributes, List.of());
    }

    /// A device of which nothing else is known.
    ///
    /// @param device the device
    /// @param kind what sort of thing it is
    /// @param name its model, such as `NVIDIA H200`
    public static DeviceInfo of(Device device, DeviceKind kind, String name) {
        return new DeviceInfo(device, kind, name, -1, -1, Map.of());
    }

    /// The same, with its memory.
    public DeviceInfo withTotalBytes(long bytes) {
        return new DeviceInfo(device, kind, name, bytes, numaNode, attributes, dlpackTypes);
    }

    /// The same, on this NUMA node of the host.
    public DeviceInfo withNumaNode(int node) {
        return new DeviceInfo(device, kind, name, totalBytes, node, attributes, dlpackTypes);
    }

    /// The same, with one more fact for people, such as the PCI bus id.
    public DeviceInfo withAttribute(String fact, String value) {
        Map<String, String> all = new HashMap<>(attributes);
        all.put(fact, value);
        return withAttributes(all);
    }

    /// The same, with these facts for people.
    public DeviceInfo withAttributes(Map<String, String> facts) {
        return new DeviceInfo(device, kind, name, totalBytes, numaNode, facts, dlpackTypes);
    }

    /// The same, known to DLPack by these codes (`DLDeviceType`): tensors are handed out with the first one, and taken with
    /// any of them.
    public DeviceInfo withDlpackTypes(Integer... codes) {
        return new DeviceInfo(device, kind, name, totalBytes, numaNode, attributes, Arrays.asList(codes));
    }

    /// The device.
    public Device device() {
        return device;
    }

    /// What sort of thing it is.
    public DeviceKind kind() {
        return kind;
    }

    /// Its model, such as `NVIDIA H200`.
    public String name() {
        return name;
    }

    /// Its memory, −1 if unknown.
    public long totalBytes() {
        return totalBytes;
    }

    /// The host's NUMA node that it hangs on, −1 if unknown or meaningless.
    public int numaNode() {
        return numaNode;
    }

    /// Further facts for people, such as the PCI bus id and link width.
    public Map<String, String> attributes() {
        return attributes;
    }

    /// DLPack's codes (`DLDeviceType`) for its memory: the one that tensors are handed out with, then the others that are
    /// taken too. Empty if DLPack has none.
    public List<Integer> dlpackTypes() {
        return dlpackTypes;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof DeviceInfo that && device.equals(that.device) && kind == that.kind
                && name.equals(that.name) && totalBytes == that.totalBytes && numaNode == that.numaNode
                && attributes.equals(that.attributes) && dlpackTypes.equals(that.dlpackTypes);
    }

    @Override
    public int hashCode() {
        return Objects.hash(device, kind, name, totalBytes, numaNode, attributes, dlpackTypes);
    }

    @Override
    public String toString() {
        return device + " (" + kind + ", " + name + ", " + totalBytes + " bytes, NUMA node " + numaNode + ", "
                + attributes
                + ", DLPack " + dlpackTypes + ")";
    }
}

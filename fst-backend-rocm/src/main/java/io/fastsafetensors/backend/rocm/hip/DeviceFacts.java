package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// A device as HIP and the kernel describe it.
///
/// @param device for calls
/// @param info for people
record DeviceFacts(HipDevice device, DeviceInfo info) {
    static final String DEVICE_TYPE = "rocm";
    private static final int DLPACK_ROCM = 10;

    private static final Path PCI_DEVICES = Path.of("/sys/bus/pci/devices");

    /// Asks HIP.
    ///
    /// @param index the device's number in HIP's order
    static DeviceFacts of(HipRuntime runtime, int index) {
        Hip hip = runtime.hip();
        String[] name = new String[1];
        String[] bus = new String[1];
        String[] arch = new String[1];
        long[] total = new long[1];
        runtime.check("hipDeviceGetName", hip.hipDeviceGetName(name, index));
        runtime.check("hipDeviceGetPCIBusId", hip.hipDeviceGetPCIBusId(bus, index));
        runtime.check("hipGetDeviceProperties", hip.hipGetDeviceProperties(arch, index));
        runtime.check("hipDeviceTotalMem", hip.hipDeviceTotalMem(total, index));
        Path entry = PCI_DEVICES.resolve(bus[0].toLowerCase(Locale.ROOT));
        Map<String, String> attributes = new LinkedHashMap<>();
        attributes.put("architecture", arch[0]);
        attributes.put("pci bus id", bus[0]);
        line(entry.resolve("current_link_speed")).ifPresent(speed -> attributes.put("pci link speed", speed));
        line(entry.resolve("current_link_width")).ifPresent(width -> attributes.put("pci link width", width));
        int numaNode = line(entry.resolve("numa_node")).filter(text -> text.matches("\\d+")).map(Integer::valueOf)
                .orElse(-1);
        return new DeviceFacts(new HipDevice(runtime, index, arch[0]),
                DeviceInfo.of(new Device(DEVICE_TYPE, index), DeviceKind.GPU, name[0]).withTotalBytes(total[0])
                        .withNumaNode(numaNode).withAttributes(attributes).withDlpackTypes(DLPACK_ROCM));
    }

    /// A line that the kernel says of the device; empty where it does not.
    private static Optional<String> line(Path file) {
        try {
            return Optional.of(Files.readString(file).strip());
        } catch (IOException _) {
            return Optional.empty();
        }
    }
}

package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.backend.rocm.hip.ffm.Hip;
import io.fastsafetensors.gpu.PciBus;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.types.Device;
import java.util.LinkedHashMap;
import java.util.Map;

/// A device as HIP and the kernel describe it.
///
/// @param device for calls
/// @param info for people
record HipDeviceInfo(HipDevice device, DeviceInfo info) {
    static final String DEVICE_TYPE = "rocm";
    private static final int DLPACK_ROCM = 10;

    /// Asks HIP.
    ///
    /// @param index the device's number in HIP's order
    static HipDeviceInfo of(HipRuntime runtime, int index) {
        Hip hip = runtime.hip();
        String[] name = new String[1];
        String[] bus = new String[1];
        String[] arch = new String[1];
        long[] total = new long[1];
        runtime.check("hipDeviceGetName", hip.hipDeviceGetName(name, index));
        runtime.check("hipDeviceGetPCIBusId", hip.hipDeviceGetPCIBusId(bus, index));
        runtime.check("hipGetDeviceProperties", hip.hipGetDeviceProperties(arch, index));
        runtime.check("hipDeviceTotalMem", hip.hipDeviceTotalMem(total, index));
        Map<String, String> attributes = new LinkedHashMap<>();
        attributes.put("architecture", arch[0]);
        attributes.put("pci bus id", bus[0]);
        PciBus.OF_LINUX.link(bus[0]).ifPresent(link -> attributes.put("pci link", link));
        return new HipDeviceInfo(new HipDevice(runtime, index, arch[0]),
                DeviceInfo.of(new Device(DEVICE_TYPE, index), DeviceKind.GPU, name[0]).withTotalBytes(total[0])
                        .withNumaNode(PciBus.OF_LINUX.numaNode(bus[0])).withAttributes(attributes)
                        .withDlpackTypes(DLPACK_ROCM));
    }
}

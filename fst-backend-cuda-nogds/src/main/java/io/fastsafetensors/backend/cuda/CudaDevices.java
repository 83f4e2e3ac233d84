package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.driver.CudaStatus;
import io.fastsafetensors.gpu.PciBus;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.types.Device;
import java.util.HashMap;
import java.util.Map;

/// Describes devices without creating a context on them.
final class CudaDevices {
    private static final int DLPACK_CUDA = 2;

    private final CudaDriver driver;
    private final CudaStatus status;
    private final PciBus pci;

    CudaDevices(CudaDriver driver, PciBus pci) {
        this.driver = driver;
        this.status = new CudaStatus(CudaBackend.NAME, driver);
        this.pci = pci;
    }

    /// What CUDA the driver supports: 1000 × major + 10 × minor. Works before [#start()].
    int cudaVersion() {
        int[] version = new int[1];
        status.check("cuDriverGetVersion", driver.cuDriverGetVersion(version));
        return version[0];
    }

    /// Starts the driver.
    ///
    /// @return how many devices it has
    int start() {
        status.check("cuInit", driver.cuInit(0));
        int[] count = new int[1];
        status.check("cuDeviceGetCount", driver.cuDeviceGetCount(count));
        return count[0];
    }

    /// Retains the primary context of a device.
    CudaContext context(int ordinal) {
        return new CudaContext(driver, status, device(ordinal));
    }

    private CudaDriver.Device device(int ordinal) {
        CudaDriver.Device[] device = new CudaDriver.Device[1];
        status.check("cuDeviceGet", driver.cuDeviceGet(device, ordinal));
        return device[0];
    }

    /// The device as users see it.
    ///
    /// @param cuda what the driver supports, for people
    DeviceInfo info(int ordinal, String cuda) {
        CudaDriver.Device device = device(ordinal);
        String[] name = {""};
        status.check("cuDeviceGetName", driver.cuDeviceGetName(name, device));
        long[] total = new long[1];
        status.check("cuDeviceTotalMem", driver.cuDeviceTotalMem(total, device));
        String[] busId = {""};
        status.check("cuDeviceGetPCIBusId", driver.cuDeviceGetPCIBusId(busId, device));
        Map<String, String> attributes = new HashMap<>();
        attributes.put("PCI bus", busId[0]);
        attributes.put("compute capability",
                attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device) + "."
                        + attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device));
        attributes.put("multiprocessors",
                String.valueOf(attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device)));
        attributes.put("driver", cuda);
        pci.link(busId[0]).ifPresent(link -> attributes.put("PCI link", link));
        return DeviceInfo.of(new Device(CudaBackend.DEVICE_TYPE, ordinal), DeviceKind.GPU, name[0])
                .withTotalBytes(total[0]).withNumaNode(pci.numaNode(busId[0])).withAttributes(attributes)
                .withDlpackTypes(DLPACK_CUDA);
    }

    boolean registersHostMemory(int ordinal) {
        return attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, device(ordinal)) != 0;
    }

    private int attribute(int attribute, CudaDriver.Device device) {
        int[] value = new int[1];
        status.check("cuDeviceGetAttribute", driver.cuDeviceGetAttribute(value, attribute, device));
        return value[0];
    }
}

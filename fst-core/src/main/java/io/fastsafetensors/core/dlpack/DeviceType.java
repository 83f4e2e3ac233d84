package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.Device;
import java.util.Locale;

/// DLPack's `DLDeviceType`, as far as fst has such devices.
enum DeviceType {
    CPU(1, "kDLCPU"), CUDA(2, "kDLCUDA"),
    /// Host memory that CUDA page-locked.
    CUDA_HOST(3, "kDLCUDAHost"), OPENCL(4, "kDLOpenCL"), ROCM(10, "kDLROCM"),
    /// Host memory that ROCm page-locked.
    ROCM_HOST(11, "kDLROCMHost");

    private final int code;
    private final String label;

    DeviceType(int code, String label) {
        this.code = code;
        this.label = label;
    }

    int code() {
        return code;
    }

    /// The type of a device of ours.
    ///
    /// @throws UnsupportedFeatureException if DLPack has none for it
    static DeviceType of(Device device, String tensor) {
        return switch (device.type()) {
            case "cpu" -> CPU;
            case "cuda" -> CUDA;
            case "opencl" -> OPENCL;
            case "rocm" -> ROCM;
            default -> throw new UnsupportedFeatureException("DLPack has no device type for " + device,
                    Where.nowhere().withTensor(tensor));
        };
    }

    /// Whether memory of the type `code` and number `id` can be taken over by a loader for `device`.
    static boolean fits(Device device, int code, int id) {
        if (device.isCpu()) {
            return code == CPU.code || code == CUDA_HOST.code || code == ROCM_HOST.code;
        }
        return switch (device.type()) {
            case "cuda" -> code == CUDA.code && id == device.index();
            case "rocm" -> code == ROCM.code && id == device.index();
            default -> false;
        };
    }

    /// `kDLCUDA:1`, or the number of a type that fst does not know.
    static String describe(int code, int id) {
        for (DeviceType type : values()) {
            if (type.code == code) {
                return type.label + ":" + id;
            }
        }
        return String.format(Locale.ROOT, "DLDeviceType %d:%d", code, id);
    }
}

package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceInfo;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/// DLPack's `DLDeviceType`: the codes are those that backends say of their devices, the names those of DLPack's header, for
/// messages.
final class DeviceType {
    private static final Map<Integer, String> NAMES = Map.ofEntries(Map.entry(1, "kDLCPU"), Map.entry(2, "kDLCUDA"),
            Map.entry(3, "kDLCUDAHost"), Map.entry(4, "kDLOpenCL"), Map.entry(7, "kDLVulkan"), Map.entry(8, "kDLMetal"),
            Map.entry(9, "kDLVPI"), Map.entry(10, "kDLROCM"), Map.entry(11, "kDLROCMHost"), Map.entry(12, "kDLExtDev"),
            Map.entry(13, "kDLCUDAManaged"), Map.entry(14, "kDLOneAPI"), Map.entry(15, "kDLWebGPU"),
            Map.entry(16, "kDLHexagon"), Map.entry(17, "kDLMAIA"), Map.entry(18, "kDLTrn"));

    private DeviceType() {
    }

    /// The code that tensors of a device are handed out with.
    ///
    /// @throws UnsupportedFeatureException if DLPack has none for it
    static int of(DeviceInfo device, String tensor) {
        List<Integer> codes = device.dlpackTypes();
        if (codes.isEmpty()) {
            throw new UnsupportedFeatureException("DLPack has no device type for " + device.device(),
                    Where.nowhere().withTensor(tensor));
        }
        return codes.getFirst();
    }

    /// Whether memory of the type `code` and number `id` can be taken over by a loader for `device`. The host has one
    /// memory, whatever number others give it.
    static boolean fits(DeviceInfo device, int code, int id) {
        return device.dlpackTypes().contains(code) && (device.device().isCpu() || id == device.device().index());
    }

    /// The types that a loader for `device` takes, for messages.
    static String accepted(DeviceInfo device) {
        return device.dlpackTypes().isEmpty() ? "none"
                : device.dlpackTypes().stream().map(DeviceType::name).collect(Collectors.joining(", "));
    }

    /// `kDLCUDA:1`, or the number of a type that fst does not know.
    static String describe(int code, int id) {
        return name(code) + ":" + id;
    }

    /// The name in `dlpack.h`, or the number where fst does not know it.
    private static String name(int code) {
        String name = NAMES.get(code);
        return name != null ? name : String.format(Locale.ROOT, "DLDeviceType %d", code);
    }
}

package io.fastsafetensors.api;

import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.util.Objects;
import java.util.Optional;

/// Changes to a tensor on its way to the caller.
///
/// @param device another device than the loader's
/// @param dtype another dtype than the loaded one; any numeric pair, rules in [io.fastsafetensors.spi.Kernels]
///
/// ```java
/// weights.get("w", GetOptions.on(Device.CPU).withDType(DType.F32));
/// ```
public record GetOptions(Optional<Device> device, Optional<DType> dtype) {
    private static final GetOptions AS_LOADED = new GetOptions(Optional.empty(), Optional.empty());

    /// Refuses what is missing.
    public GetOptions {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(dtype, "dtype");
    }

    /// As it was loaded.
    public static GetOptions asLoaded() {
        return AS_LOADED;
    }

    /// Converted to `dtype`.
    public static GetOptions as(DType dtype) {
        Objects.requireNonNull(dtype, "dtype");
        return new GetOptions(Optional.empty(), Optional.of(dtype));
    }

    /// Copied to `device`.
    public static GetOptions on(Device device) {
        Objects.requireNonNull(device, "device");
        return new GetOptions(Optional.of(device), Optional.empty());
    }

    /// These options, converted to `target`.
    public GetOptions withDType(DType target) {
        Objects.requireNonNull(target, "target");
        return new GetOptions(device, Optional.of(target));
    }
}

package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.spi.DeviceInfo;

/// One device that can be used.
///
/// @param platform its `cl_platform_id`
/// @param handle its `cl_device_id`
/// @param info what people read
/// @param maxAllocation the largest buffer in bytes
/// @param isHost whether it is the host's own processor
/// @param tellsFreeMemory whether the driver can say how much memory is free
record ClDevice(long platform, long handle, DeviceInfo info, long maxAllocation, boolean isHost,
        boolean tellsFreeMemory) {
}

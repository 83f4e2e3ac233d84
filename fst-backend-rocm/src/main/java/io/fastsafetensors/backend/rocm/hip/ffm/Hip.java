package io.fastsafetensors.backend.rocm.hip.ffm;

import java.lang.foreign.MemorySegment;

/// The HIP runtime's functions under their own names, with the statuses of `hipError_t`. What C writes through a
/// pointer is written to element 0 of an array. Addresses, streams, events, modules and functions are longs, sizes are
/// bytes. Safe for use by many threads; the current device is one a thread. Numbers are those of hip_runtime_api.h.
public interface Hip {
    /// `hipSuccess`.
    int SUCCESS = 0;
    /// `hipErrorOutOfMemory`.
    int OUT_OF_MEMORY = 2;
    /// `hipErrorNoDevice`.
    int NO_DEVICE = 100;
    /// `hipErrorNotReady`: no error, the work is not done yet.
    int NOT_READY = 600;

    /// `hipMemcpyHostToDevice`.
    int HOST_TO_DEVICE = 1;
    /// `hipMemcpyDeviceToHost`.
    int DEVICE_TO_HOST = 2;
    /// `hipMemcpyDeviceToDevice`.
    int DEVICE_TO_DEVICE = 3;

    /// `hipHostMallocPortable`: page-locked for every device.
    int HOST_MALLOC_PORTABLE = 1;
    /// `hipHostRegisterPortable`: page-locked for every device.
    int HOST_REGISTER_PORTABLE = 1;
    /// `hipHostRegisterReadOnly`; before ROCm 6 the bit meant coarse-grained, which suits memory that nobody writes.
    int HOST_REGISTER_READ_ONLY = 8;
    /// `hipStreamNonBlocking`: out of step with the default stream.
    int STREAM_NON_BLOCKING = 1;
    /// `hipEventBlockingSync`: who waits sleeps.
    int EVENT_BLOCKING_SYNC = 1;
    /// `hipEventDisableTiming`.
    int EVENT_DISABLE_TIMING = 2;

    /// The name under which the library was found.
    String library();

    /// `hipRuntimeGetVersion`: major × 10,000,000 + minor × 100,000 + patch.
    int hipRuntimeGetVersion(int[] version);

    /// `hipGetErrorName`.
    String hipGetErrorName(int status);

    /// `hipGetErrorString`.
    String hipGetErrorString(int status);

    /// `hipGetLastError`: this thread's, which is forgotten.
    int hipGetLastError();

    /// `hipGetDeviceCount`.
    int hipGetDeviceCount(int[] count);

    /// `hipGetDevice`.
    int hipGetDevice(int[] device);

    /// `hipSetDevice`.
    int hipSetDevice(int device);

    /// `hipDeviceGetName`.
    int hipDeviceGetName(String[] name, int device);

    /// `hipDeviceGetPCIBusId`: such as `0000:c1:00.0`.
    int hipDeviceGetPCIBusId(String[] id, int device);

    /// `hipDeviceTotalMem`.
    int hipDeviceTotalMem(long[] bytes, int device);

    /// `hipGetDeviceProperties`, of which only `gcnArchName` is wanted: such as `gfx90a:sramecc+:xnack-`.
    int hipGetDeviceProperties(String[] gcnArchName, int device);

    /// `hipMemGetInfo` of the current device.
    ///
    /// @param freeAndTotal element 0 becomes the free bytes, element 1 all
    int hipMemGetInfo(long[] freeAndTotal);

    /// `hipMalloc` on the current device.
    int hipMalloc(long[] address, long bytes);

    /// `hipFree`: waits for work that is queued.
    int hipFree(long address);

    /// `hipHostMalloc`.
    int hipHostMalloc(long[] address, long bytes, int flags);

    /// `hipHostFree`.
    int hipHostFree(long address);

    /// `hipHostRegister`.
    int hipHostRegister(long address, long bytes, int flags);

    /// `hipHostUnregister`.
    int hipHostUnregister(long address);

    /// `hipMemcpyAsync`.
    int hipMemcpyAsync(long target, long source, long bytes, int kind, long stream);

    /// `hipStreamCreateWithFlags` on the current device.
    int hipStreamCreateWithFlags(long[] stream, int flags);

    /// `hipStreamDestroy`.
    int hipStreamDestroy(long stream);

    /// `hipStreamSynchronize`.
    int hipStreamSynchronize(long stream);

    /// `hipStreamWaitEvent`.
    int hipStreamWaitEvent(long stream, long event);

    /// `hipEventCreateWithFlags` on the current device.
    int hipEventCreateWithFlags(long[] event, int flags);

    /// `hipEventDestroy`.
    int hipEventDestroy(long event);

    /// `hipEventRecord`.
    int hipEventRecord(long event, long stream);

    /// `hipEventQuery`.
    int hipEventQuery(long event);

    /// `hipEventSynchronize`.
    int hipEventSynchronize(long event);

    /// `hipModuleLoadData` on the current device.
    int hipModuleLoadData(long[] module, byte[] image);

    /// `hipModuleUnload`.
    int hipModuleUnload(long module);

    /// `hipModuleGetFunction`.
    int hipModuleGetFunction(long[] function, long module, String name);

    /// `hipModuleLaunchKernel` in one dimension, without dynamic shared memory.
    ///
    /// @param kernelParams a native array with the address of each argument; read before the call returns
    int hipModuleLaunchKernel(long function, int gridDimX, int blockDimX, long stream, MemorySegment kernelParams);
}

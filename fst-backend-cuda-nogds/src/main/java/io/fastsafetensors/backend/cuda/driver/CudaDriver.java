package io.fastsafetensors.backend.cuda.driver;

/// The functions of the CUDA driver API that this backend calls, under their C names, with their C meaning. Each
/// returns a `CUresult`; results go into the first element of an array. Device and host addresses and sizes are in
/// bytes. Safe for use by many threads; what is *current* is so for the calling thread.
///
/// Constants are those of `cuda.h`.
public interface CudaDriver {
    /// `CUDA_SUCCESS`.
    int CUDA_SUCCESS = 0;
    /// `CUDA_ERROR_INVALID_VALUE`.
    int CUDA_ERROR_INVALID_VALUE = 1;
    /// `CUDA_ERROR_OUT_OF_MEMORY`.
    int CUDA_ERROR_OUT_OF_MEMORY = 2;
    /// `CUDA_ERROR_NOT_READY`: work is still under way.
    int CUDA_ERROR_NOT_READY = 600;
    /// `CUDA_ERROR_NOT_SUPPORTED`.
    int CUDA_ERROR_NOT_SUPPORTED = 801;

    /// `CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT`.
    int CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16;
    /// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`.
    int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75;
    /// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR`.
    int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76;
    /// `CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED`.
    int CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED = 99;

    /// `CU_MEMHOSTALLOC_PORTABLE`: page-locked for every context.
    int CU_MEMHOSTALLOC_PORTABLE = 1;
    /// `CU_MEMHOSTREGISTER_PORTABLE`: page-locked for every context.
    int CU_MEMHOSTREGISTER_PORTABLE = 1;
    /// `CU_MEMHOSTREGISTER_READ_ONLY`: the device only reads; needed for read-only mappings.
    int CU_MEMHOSTREGISTER_READ_ONLY = 8;
    /// `CU_STREAM_NON_BLOCKING`: no implicit order with the default stream.
    int CU_STREAM_NON_BLOCKING = 1;
    /// `CU_EVENT_BLOCKING_SYNC`: who waits sleeps.
    int CU_EVENT_BLOCKING_SYNC = 1;
    /// `CU_EVENT_DISABLE_TIMING`.
    int CU_EVENT_DISABLE_TIMING = 2;

    /// An opaque object of the driver.
    interface Handle {
        /// The C value: a pointer, or the number of a [Device].
        long address();
    }

    /// `CUdevice`.
    interface Device extends Handle {
    }

    /// `CUcontext`.
    interface Context extends Handle {
    }

    /// `CUstream`.
    interface Stream extends Handle {
    }

    /// A `CUstream` that the program made, 0 for the default one: events are recorded in it, and nothing else is done
    /// with it here.
    record ForeignStream(long address) implements Stream {
    }

    /// `CUevent`.
    interface Event extends Handle {
    }

    /// `CUmodule`.
    interface Module extends Handle {
    }

    /// `CUfunction`.
    interface Function extends Handle {
    }

    /// Starts the driver; harmless when it has been started.
    int cuInit(int flags);

    /// 1000 × major + 10 × minor of the newest CUDA version that the driver serves. Works before [#cuInit].
    int cuDriverGetVersion(int[] version);

    /// The name of a status; itself `CUDA_ERROR_INVALID_VALUE` for an unknown one.
    int cuGetErrorName(int error, String[] name);

    /// How many devices this process may use.
    int cuDeviceGetCount(int[] count);

    /// A device by its number.
    int cuDeviceGet(Device[] device, int ordinal);

    /// The model.
    int cuDeviceGetName(String[] name, Device device);

    /// The memory in bytes.
    int cuDeviceTotalMem(long[] bytes, Device device);

    /// One `CU_DEVICE_ATTRIBUTE_…`.
    int cuDeviceGetAttribute(int[] value, int attribute, Device device);

    /// Domain, bus, device and function, such as `0000:3B:00.0`.
    int cuDeviceGetPCIBusId(String[] id, Device device);

    /// Counts one more user of the device's primary context, and creates it for the first; not current thereby.
    int cuDevicePrimaryCtxRetain(Context[] context, Device device);

    /// Counts one user less; the last one destroys the context.
    int cuDevicePrimaryCtxRelease(Device device);

    /// Makes a context current, above the one that was.
    int cuCtxPushCurrent(Context context);

    /// Makes the context current that was before.
    int cuCtxPopCurrent();

    /// Waits for all work of the current context.
    int cuCtxSynchronize();

    /// Free and total bytes of the current context's device.
    int cuMemGetInfo(long[] free, long[] total);

    /// Allocates device memory, aligned to at least 256 bytes.
    int cuMemAlloc(long[] address, long bytes);

    /// Frees device memory.
    int cuMemFree(long address);

    /// Allocates page-locked host memory.
    int cuMemHostAlloc(long[] address, long bytes, int flags);

    /// Frees page-locked host memory.
    int cuMemFreeHost(long address);

    /// Page-locks host memory of another owner.
    int cuMemHostRegister(long address, long bytes, int flags);

    /// Undoes [#cuMemHostRegister].
    int cuMemHostUnregister(long address);

    /// Queues a copy from the host to the device.
    int cuMemcpyHtoDAsync(long target, long source, long bytes, Stream stream);

    /// Queues a copy from the device to the host.
    int cuMemcpyDtoHAsync(long target, long source, long bytes, Stream stream);

    /// Queues a copy within the device.
    int cuMemcpyDtoDAsync(long target, long source, long bytes, Stream stream);

    /// Creates a stream.
    int cuStreamCreate(Stream[] stream, int flags);

    /// Makes later work of the stream wait for an event as it was last recorded.
    int cuStreamWaitEvent(Stream stream, Event event);

    /// Destroys a stream; work in it goes on.
    int cuStreamDestroy(Stream stream);

    /// Creates an event, which has passed until it is recorded.
    int cuEventCreate(Event[] event, int flags);

    /// Marks this point of the stream, which may be a [ForeignStream].
    int cuEventRecord(Event event, Stream stream);

    /// Whether the event has passed: success, or `CUDA_ERROR_NOT_READY`.
    int cuEventQuery(Event event);

    /// Waits until the event has passed.
    int cuEventSynchronize(Event event);

    /// Destroys an event.
    int cuEventDestroy(Event event);

    /// Loads a module into the current context.
    ///
    /// @param image PTX text in ASCII; need not end with a zero byte
    /// @param errorLog filled with what the PTX compiler has to say about errors, ASCII, ended by a zero byte
    int cuModuleLoadDataEx(Module[] module, byte[] image, byte[] errorLog);

    /// Unloads a module.
    int cuModuleUnload(Module module);

    /// A function of a module by its name.
    int cuModuleGetFunction(Function[] function, Module module, String name);

    /// Queues a kernel of `gridDimX` × 1 × 1 blocks of `blockDimX` × 1 × 1 threads.
    ///
    /// @param kernelParams the bytes of each argument, little-endian; read before the call returns
    int cuLaunchKernel(Function function, int gridDimX, int blockDimX, Stream stream, byte[][] kernelParams);
}

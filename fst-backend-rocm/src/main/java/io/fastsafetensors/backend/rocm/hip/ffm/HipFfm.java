package io.fastsafetensors.backend.rocm.hip.ffm;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// [Hip] on the library that [HipLibraries] finds; 64-bit Linux only.
public final class HipFfm implements Hip {
    private static final NativeLibrary LIBRARY = HipLibraries.runtime();
    private static final int TEXT = 256;
    /// Where the functions write to: one a thread, since a call's result is read before the next call.
    private static final ThreadLocal<MemorySegment> OUT = ThreadLocal
            .withInitial(() -> Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 2));

    // hipError_t hipRuntimeGetVersion(int *runtimeVersion)
    private static final WordFunction RUNTIME_GET_VERSION = LIBRARY.words("hipRuntimeGetVersion");
    // const char *hipGetErrorName(hipError_t hip_error)
    private static final WordFunction GET_ERROR_NAME = LIBRARY.words("hipGetErrorName");
    // const char *hipGetErrorString(hipError_t hipError)
    private static final WordFunction GET_ERROR_STRING = LIBRARY.words("hipGetErrorString");
    // hipError_t hipGetLastError(void)
    private static final WordFunction GET_LAST_ERROR = LIBRARY.words("hipGetLastError");
    // hipError_t hipGetDeviceCount(int *count)
    private static final WordFunction GET_DEVICE_COUNT = LIBRARY.words("hipGetDeviceCount");
    // hipError_t hipGetDevice(int *deviceId)
    private static final WordFunction GET_DEVICE = LIBRARY.words("hipGetDevice");
    // hipError_t hipSetDevice(int deviceId)
    private static final WordFunction SET_DEVICE = LIBRARY.words("hipSetDevice");
    // hipError_t hipDeviceGetName(char *name, int len, hipDevice_t device)
    private static final WordFunction DEVICE_GET_NAME = LIBRARY.words("hipDeviceGetName");
    // hipError_t hipDeviceGetPCIBusId(char *pciBusId, int len, int device)
    private static final WordFunction DEVICE_GET_PCI_BUS_ID = LIBRARY.words("hipDeviceGetPCIBusId");
    // hipError_t hipDeviceTotalMem(size_t *bytes, hipDevice_t device)
    private static final WordFunction DEVICE_TOTAL_MEM = LIBRARY.words("hipDeviceTotalMem");
    // hipError_t hipGetDeviceProperties(hipDeviceProp_t *prop, int deviceId), in one of its layouts
    private static final DeviceProperties PROPERTIES = DeviceProperties.of(LIBRARY);
    // hipError_t hipMemGetInfo(size_t *free, size_t *total)
    private static final WordFunction MEM_GET_INFO = LIBRARY.words("hipMemGetInfo");
    // hipError_t hipMalloc(void **ptr, size_t size)
    private static final WordFunction MALLOC = LIBRARY.words("hipMalloc");
    // hipError_t hipFree(void *ptr)
    private static final WordFunction FREE = LIBRARY.words("hipFree");
    // hipError_t hipHostMalloc(void **ptr, size_t size, unsigned int flags)
    private static final WordFunction HOST_MALLOC = LIBRARY.words("hipHostMalloc");
    // hipError_t hipHostFree(void *ptr)
    private static final WordFunction HOST_FREE = LIBRARY.words("hipHostFree");
    // hipError_t hipHostRegister(void *hostPtr, size_t sizeBytes, unsigned int flags)
    private static final WordFunction HOST_REGISTER = LIBRARY.words("hipHostRegister");
    // hipError_t hipHostUnregister(void *hostPtr)
    private static final WordFunction HOST_UNREGISTER = LIBRARY.words("hipHostUnregister");
    // hipError_t hipMemcpyAsync(void *dst, const void *src, size_t sizeBytes, hipMemcpyKind kind, hipStream_t stream)
    private static final WordFunction MEMCPY_ASYNC = LIBRARY.words("hipMemcpyAsync");
    // hipError_t hipStreamCreateWithFlags(hipStream_t *stream, unsigned int flags)
    private static final WordFunction STREAM_CREATE_WITH_FLAGS = LIBRARY.words("hipStreamCreateWithFlags");
    // hipError_t hipStreamDestroy(hipStream_t stream)
    private static final WordFunction STREAM_DESTROY = LIBRARY.words("hipStreamDestroy");
    // hipError_t hipStreamSynchronize(hipStream_t stream)
    private static final WordFunction STREAM_SYNCHRONIZE = LIBRARY.words("hipStreamSynchronize");
    // hipError_t hipStreamWaitEvent(hipStream_t stream, hipEvent_t event, unsigned int flags)
    private static final WordFunction STREAM_WAIT_EVENT = LIBRARY.words("hipStreamWaitEvent");
    // hipError_t hipEventCreateWithFlags(hipEvent_t *event, unsigned flags)
    private static final WordFunction EVENT_CREATE_WITH_FLAGS = LIBRARY.words("hipEventCreateWithFlags");
    // hipError_t hipEventDestroy(hipEvent_t event)
    private static final WordFunction EVENT_DESTROY = LIBRARY.words("hipEventDestroy");
    // hipError_t hipEventRecord(hipEvent_t event, hipStream_t stream)
    private static final WordFunction EVENT_RECORD = LIBRARY.words("hipEventRecord");
    // hipError_t hipEventQuery(hipEvent_t event)
    private static final WordFunction EVENT_QUERY = LIBRARY.words("hipEventQuery");
    // hipError_t hipEventSynchronize(hipEvent_t event)
    private static final WordFunction EVENT_SYNCHRONIZE = LIBRARY.words("hipEventSynchronize");
    // hipError_t hipModuleLoadData(hipModule_t *module, const void *image)
    private static final WordFunction MODULE_LOAD_DATA = LIBRARY.words("hipModuleLoadData");
    // hipError_t hipModuleUnload(hipModule_t module)
    private static final WordFunction MODULE_UNLOAD = LIBRARY.words("hipModuleUnload");
    // hipError_t hipModuleGetFunction(hipFunction_t *function, hipModule_t module, const char *kname)
    private static final WordFunction MODULE_GET_FUNCTION = LIBRARY.words("hipModuleGetFunction");
    // hipError_t hipModuleLaunchKernel(hipFunction_t f, unsigned int gridDimX, unsigned int gridDimY,
    // unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
    // unsigned int sharedMemBytes, hipStream_t stream, void **kernelParams, void **extra)
    private static final MethodHandle MODULE_LAUNCH_KERNEL = LIBRARY.bind("hipModuleLaunchKernel",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS,
                    ValueLayout.JAVA_LONG));

    /// Binds on first use; the class's initialiser fails where the library, a function or native access is missing.
    public HipFfm() {
    }

    /// hiprtc of the same installation.
    ///
    /// @param version what [#hipRuntimeGetVersion] says
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there is none
    public Hiprtc compiler(int version) {
        return new HiprtcFfm(HipLibraries.compiler(LIBRARY, version));
    }

    @Override
    public String library() {
        return LIBRARY.name();
    }

    @Override
    public int hipRuntimeGetVersion(int[] version) {
        return written(version, (int) RUNTIME_GET_VERSION.call(out()));
    }

    @Override
    public String hipGetErrorName(int status) {
        return CStrings.at(GET_ERROR_NAME.call(status));
    }

    @Override
    public String hipGetErrorString(int status) {
        return CStrings.at(GET_ERROR_STRING.call(status));
    }

    @Override
    public int hipGetLastError() {
        return (int) GET_LAST_ERROR.call();
    }

    @Override
    public int hipGetDeviceCount(int[] count) {
        return written(count, (int) GET_DEVICE_COUNT.call(out()));
    }

    @Override
    public int hipGetDevice(int[] device) {
        return written(device, (int) GET_DEVICE.call(out()));
    }

    @Override
    public int hipSetDevice(int device) {
        return (int) SET_DEVICE.call(device);
    }

    @Override
    public int hipDeviceGetName(String[] name, int device) {
        return text(DEVICE_GET_NAME, name, device);
    }

    @Override
    public int hipDeviceGetPCIBusId(String[] id, int device) {
        return text(DEVICE_GET_PCI_BUS_ID, id, device);
    }

    @Override
    public int hipDeviceTotalMem(long[] bytes, int device) {
        return written(bytes, (int) DEVICE_TOTAL_MEM.call(out(), device));
    }

    @Override
    public int hipGetDeviceProperties(String[] gcnArchName, int device) {
        return PROPERTIES.archName(gcnArchName, device);
    }

    @Override
    public int hipMemGetInfo(long[] freeAndTotal) {
        int status = (int) MEM_GET_INFO.call(out(), out() + Long.BYTES);
        freeAndTotal[1] = OUT.get().getAtIndex(ValueLayout.JAVA_LONG, 1);
        return written(freeAndTotal, status);
    }

    @Override
    public int hipMalloc(long[] address, long bytes) {
        return written(address, (int) MALLOC.call(out(), bytes));
    }

    @Override
    public int hipFree(long address) {
        return (int) FREE.call(address);
    }

    @Override
    public int hipHostMalloc(long[] address, long bytes, int flags) {
        return written(address, (int) HOST_MALLOC.call(out(), bytes, flags));
    }

    @Override
    public int hipHostFree(long address) {
        return (int) HOST_FREE.call(address);
    }

    @Override
    public int hipHostRegister(long address, long bytes, int flags) {
        return (int) HOST_REGISTER.call(address, bytes, flags);
    }

    @Override
    public int hipHostUnregister(long address) {
        return (int) HOST_UNREGISTER.call(address);
    }

    @Override
    public int hipMemcpyAsync(long target, long source, long bytes, int kind, long stream) {
        return (int) MEMCPY_ASYNC.call(target, source, bytes, kind, stream);
    }

    @Override
    public int hipStreamCreateWithFlags(long[] stream, int flags) {
        return written(stream, (int) STREAM_CREATE_WITH_FLAGS.call(out(), flags));
    }

    @Override
    public int hipStreamDestroy(long stream) {
        return (int) STREAM_DESTROY.call(stream);
    }

    @Override
    public int hipStreamSynchronize(long stream) {
        return (int) STREAM_SYNCHRONIZE.call(stream);
    }

    @Override
    public int hipStreamWaitEvent(long stream, long event) {
        return (int) STREAM_WAIT_EVENT.call(stream, event, 0);
    }

    @Override
    public int hipEventCreateWithFlags(long[] event, int flags) {
        return written(event, (int) EVENT_CREATE_WITH_FLAGS.call(out(), flags));
    }

    @Override
    public int hipEventDestroy(long event) {
        return (int) EVENT_DESTROY.call(event);
    }

    @Override
    public int hipEventRecord(long event, long stream) {
        return (int) EVENT_RECORD.call(event, stream);
    }

    @Override
    public int hipEventQuery(long event) {
        return (int) EVENT_QUERY.call(event);
    }

    @Override
    public int hipEventSynchronize(long event) {
        return (int) EVENT_SYNCHRONIZE.call(event);
    }

    @Override
    public int hipModuleLoadData(long[] module, byte[] image) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocateFrom(ValueLayout.JAVA_BYTE, image);
            return written(module, (int) MODULE_LOAD_DATA.call(out(), copy.address()));
        }
    }

    @Override
    public int hipModuleUnload(long module) {
        return (int) MODULE_UNLOAD.call(module);
    }

    @Override
    public int hipModuleGetFunction(long[] function, long module, String name) {
        try (Arena arena = Arena.ofConfined()) {
            return written(function,
                    (int) MODULE_GET_FUNCTION.call(out(), module, arena.allocateFrom(name).address()));
        }
    }

    @Override
    public int hipModuleLaunchKernel(long function, int gridDimX, int blockDimX, long stream,
            MemorySegment kernelParams) {
        try {
            return (int) MODULE_LAUNCH_KERNEL.invokeExact(function, gridDimX, 1, 1, blockDimX, 1, 1, 0, stream,
                    kernelParams, 0L);
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    private static long out() {
        return OUT.get().address();
    }

    private static int written(int[] target, int status) {
        target[0] = OUT.get().get(ValueLayout.JAVA_INT, 0);
        return status;
    }

    private static int written(long[] target, int status) {
        target[0] = OUT.get().get(ValueLayout.JAVA_LONG, 0);
        return status;
    }

    /// A function of (char *text, int length, int device).
    private static int text(WordFunction function, String[] text, int device) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(TEXT);
            int status = (int) function.call(memory.address(), TEXT, device);
            text[0] = memory.getString(0);
            return status;
        }
    }
}

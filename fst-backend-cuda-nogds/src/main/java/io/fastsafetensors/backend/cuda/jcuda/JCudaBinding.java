package io.fastsafetensors.backend.cuda.jcuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.backend.cuda.jcuda.JCudaPointers.Global;
import io.fastsafetensors.backend.cuda.jcuda.JCudaPointers.Host;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;

/// [CudaDriver] through JCuda. Device and host addresses become JCuda pointers, which cannot be changed once made, so
/// a call makes one for each address that it passes.
public final class JCudaBinding implements CudaDriver {
    private static final int LONGEST_NAME = 256;

    JCudaBinding() {
    }

    @Override
    public int cuInit(int flags) {
        return JCudaDriver.cuInit(flags);
    }

    @Override
    public int cuDriverGetVersion(int[] version) {
        return JCudaDriver.cuDriverGetVersion(version);
    }

    @Override
    public int cuGetErrorName(int error, String[] name) {
        return JCudaDriver.cuGetErrorName(error, name);
    }

    @Override
    public int cuDeviceGetCount(int[] count) {
        return JCudaDriver.cuDeviceGetCount(count);
    }

    @Override
    public int cuDeviceGet(Device[] device, int ordinal) {
        JCudaPointers.OfDevice made = new JCudaPointers.OfDevice();
        device[0] = made;
        return JCudaDriver.cuDeviceGet(made, ordinal);
    }

    @Override
    public int cuDeviceGetName(String[] name, Device device) {
        byte[] text = new byte[LONGEST_NAME];
        int status = JCudaDriver.cuDeviceGetName(text, text.length, (CUdevice) device);
        name[0] = text(text);
        return status;
    }

    @Override
    public int cuDeviceTotalMem(long[] bytes, Device device) {
        return JCudaDriver.cuDeviceTotalMem(bytes, (CUdevice) device);
    }

    @Override
    public int cuDeviceGetAttribute(int[] value, int attribute, Device device) {
        return JCudaDriver.cuDeviceGetAttribute(value, attribute, (CUdevice) device);
    }

    @Override
    public int cuDeviceGetPCIBusId(String[] id, Device device) {
        return JCudaDriver.cuDeviceGetPCIBusId(id, LONGEST_NAME, (CUdevice) device);
    }

    @Override
    public int cuDevicePrimaryCtxRetain(Context[] context, Device device) {
        JCudaPointers.OfContext made = new JCudaPointers.OfContext();
        context[0] = made;
        return JCudaDriver.cuDevicePrimaryCtxRetain(made, (CUdevice) device);
    }

    @Override
    public int cuDevicePrimaryCtxRelease(Device device) {
        return JCudaDriver.cuDevicePrimaryCtxRelease((CUdevice) device);
    }

    @Override
    public int cuCtxPushCurrent(Context context) {
        return JCudaDriver.cuCtxPushCurrent((CUcontext) context);
    }

    @Override
    public int cuCtxPopCurrent() {
        return JCudaDriver.cuCtxPopCurrent(new CUcontext());
    }

    @Override
    public int cuCtxSynchronize() {
        return JCudaDriver.cuCtxSynchronize();
    }

    @Override
    public int cuMemGetInfo(long[] free, long[] total) {
        return JCudaDriver.cuMemGetInfo(free, total);
    }

    @Override
    public int cuMemAlloc(long[] address, long bytes) {
        Global made = new Global(0);
        int status = JCudaDriver.cuMemAlloc(made, bytes);
        address[0] = made.address();
        return status;
    }

    @Override
    public int cuMemFree(long address) {
        return JCudaDriver.cuMemFree(new Global(address));
    }

    /// JCuda makes a `ByteBuffer` of the memory, which cannot be larger than 2 GiB.
    @Override
    public int cuMemHostAlloc(long[] address, long bytes, int flags) {
        if (bytes > Integer.MAX_VALUE) {
            return CUDA_ERROR_NOT_SUPPORTED;
        }
        Host made = new Host(0);
        int status = JCudaDriver.cuMemHostAlloc(made, bytes, flags);
        address[0] = made.address();
        return status;
    }

    @Override
    public int cuMemFreeHost(long address) {
        return JCudaDriver.cuMemFreeHost(new Host(address));
    }

    @Override
    public int cuMemHostRegister(long address, long bytes, int flags) {
        return JCudaDriver.cuMemHostRegister(new Host(address), bytes, flags);
    }

    @Override
    public int cuMemHostUnregister(long address) {
        return JCudaDriver.cuMemHostUnregister(new Host(address));
    }

    @Override
    public int cuMemcpyHtoDAsync(long target, long source, long bytes, Stream stream) {
        return JCudaDriver.cuMemcpyHtoDAsync(new Global(target), new Host(source), bytes, (CUstream) stream);
    }

    @Override
    public int cuMemcpyDtoHAsync(long target, long source, long bytes, Stream stream) {
        return JCudaDriver.cuMemcpyDtoHAsync(new Host(target), new Global(source), bytes, (CUstream) stream);
    }

    @Override
    public int cuMemcpyDtoDAsync(long target, long source, long bytes, Stream stream) {
        return JCudaDriver.cuMemcpyDtoDAsync(new Global(target), new Global(source), bytes, (CUstream) stream);
    }

    @Override
    public int cuStreamCreate(Stream[] stream, int flags) {
        JCudaPointers.OfStream made = new JCudaPointers.OfStream();
        stream[0] = made;
        return JCudaDriver.cuStreamCreate(made, flags);
    }

    @Override
    public int cuStreamWaitEvent(Stream stream, Event event) {
        return JCudaDriver.cuStreamWaitEvent((CUstream) stream, (CUevent) event, 0);
    }

    @Override
    public int cuStreamDestroy(Stream stream) {
        return JCudaDriver.cuStreamDestroy((CUstream) stream);
    }

    @Override
    public int cuEventCreate(Event[] event, int flags) {
        JCudaPointers.OfEvent made = new JCudaPointers.OfEvent();
        event[0] = made;
        return JCudaDriver.cuEventCreate(made, flags);
    }

    @Override
    public int cuEventRecord(Event event, Stream stream) {
        return stream instanceof CUstream own ? JCudaDriver.cuEventRecord((CUevent) event, own)
                : (int) Foreign.CU_EVENT_RECORD.call(event.address(), stream.address());
    }

    /// JCuda makes no object of a stream that it did not create.
    private static final class Foreign {
        // CUresult cuEventRecord(CUevent hEvent, CUstream hStream)
        private static final WordFunction CU_EVENT_RECORD = NativeLibrary.open("libcuda.so.1").words("cuEventRecord");
    }

    @Override
    public int cuEventQuery(Event event) {
        return JCudaDriver.cuEventQuery((CUevent) event);
    }

    @Override
    public int cuEventSynchronize(Event event) {
        return JCudaDriver.cuEventSynchronize((CUevent) event);
    }

    @Override
    public int cuEventDestroy(Event event) {
        return JCudaDriver.cuEventDestroy((CUevent) event);
    }

    @Override
    public int cuModuleLoadDataEx(Module[] module, byte[] image, byte[] errorLog) {
        JCudaPointers.OfModule made = new JCudaPointers.OfModule();
        module[0] = made;
        JITOptions options = new JITOptions();
        options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, errorLog);
        options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, errorLog.length);
        return JCudaDriver.cuModuleLoadDataJIT(made, Pointer.to(Arrays.copyOf(image, image.length + 1)), options);
    }

    @Override
    public int cuModuleUnload(Module module) {
        return JCudaDriver.cuModuleUnload((CUmodule) module);
    }

    @Override
    public int cuModuleGetFunction(Function[] function, Module module, String name) {
        JCudaPointers.OfFunction made = new JCudaPointers.OfFunction();
        function[0] = made;
        return JCudaDriver.cuModuleGetFunction(made, (CUmodule) module, name);
    }

    @Override
    public int cuLaunchKernel(Function function, int gridDimX, int blockDimX, Stream stream, byte[][] kernelParams) {
        Pointer[] arguments = new Pointer[kernelParams.length];
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = Pointer.to(kernelParams[i]);
        }
        return JCudaDriver.cuLaunchKernel((CUfunction) function, gridDimX, 1, 1, blockDimX, 1, 1, 0,
                (CUstream) stream, Pointer.to(arguments), null);
    }

    private static String text(byte[] zeroEnded) {
        int end = 0;
        while (end < zeroEnded.length && zeroEnded[end] != 0) {
            end++;
        }
        return new String(zeroEnded, 0, end, StandardCharsets.UTF_8);
    }
}

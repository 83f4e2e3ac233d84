package io.fastsafetensors.backend.rocm.opencl.binding;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/// The functions of OpenCL 1.2 that the backend uses, under their C names; constants are those of `CL/cl.h`.
///
/// Handles are what the driver returned, 0 for none. Functions return the status, or a handle with the status in
/// `status[0]`. `waits` are the events that a command waits for; its own event is stored in `event[0]` unless `event`
/// is null. All functions may be called by many threads at once, except [#clSetKernelArg] on one kernel.
public interface OpenCl {
    /// The status of a call that worked.
    int CL_SUCCESS = 0;
    /// A platform without a device of the wanted type.
    int CL_DEVICE_NOT_FOUND = -1;
    /// No room for a buffer.
    int CL_MEM_OBJECT_ALLOCATION_FAILURE = -4;
    /// No room for what a command needs on the device.
    int CL_OUT_OF_RESOURCES = -5;
    /// No room on the host.
    int CL_OUT_OF_HOST_MEMORY = -6;
    /// A kernel source that does not compile.
    int CL_BUILD_PROGRAM_FAILURE = -11;
    /// Something that a command or a wait depended on had failed.
    int CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST = -14;
    /// A buffer that is larger than the device allows, or empty.
    int CL_INVALID_BUFFER_SIZE = -61;
    /// No platform: the loader is installed, a driver is not (`cl_khr_icd`).
    int CL_PLATFORM_NOT_FOUND_KHR = -1001;

    /// The platform's version.
    int CL_PLATFORM_VERSION = 0x0901;
    /// The platform's name.
    int CL_PLATFORM_NAME = 0x0902;
    /// Devices of any type.
    long CL_DEVICE_TYPE_ALL = 0xFFFFFFFFL;
    /// The bit of processors that run the host as well.
    long CL_DEVICE_TYPE_CPU = 1 << 1;
    /// The bit of graphics processors.
    long CL_DEVICE_TYPE_GPU = 1 << 2;
    /// The bit of other devices that hang on the host.
    long CL_DEVICE_TYPE_ACCELERATOR = 1 << 3;
    /// `cl_device_type`, a 64-bit set of the bits above.
    int CL_DEVICE_TYPE = 0x1000;
    /// `cl_ulong`: the largest buffer in bytes.
    int CL_DEVICE_MAX_MEM_ALLOC_SIZE = 0x1010;
    /// `cl_uint`: the alignment of every buffer, in bits.
    int CL_DEVICE_MEM_BASE_ADDR_ALIGN = 0x1019;
    /// `cl_ulong`: the device's memory in bytes.
    int CL_DEVICE_GLOBAL_MEM_SIZE = 0x101F;
    /// `cl_bool`.
    int CL_DEVICE_ENDIAN_LITTLE = 0x1026;
    /// `cl_bool`.
    int CL_DEVICE_AVAILABLE = 0x1027;
    /// `cl_bool`.
    int CL_DEVICE_COMPILER_AVAILABLE = 0x1028;
    /// The device's model.
    int CL_DEVICE_NAME = 0x102B;
    /// Who made it.
    int CL_DEVICE_VENDOR = 0x102C;
    /// The driver's version.
    int CL_DRIVER_VERSION = 0x102D;
    /// `OpenCL MAJOR.MINOR` and what the vendor adds.
    int CL_DEVICE_VERSION = 0x102F;
    /// Names separated by blanks.
    int CL_DEVICE_EXTENSIONS = 0x1030;
    /// `size_t[2]` in KiB: all free memory, and the largest free block (`cl_amd_device_attribute_query`).
    int CL_DEVICE_GLOBAL_FREE_MEMORY_AMD = 0x4039;

    /// For kernels to read and write.
    long CL_MEM_READ_WRITE = 1 << 0;
    /// In host memory that the driver takes where the device reaches it fastest.
    long CL_MEM_ALLOC_HOST_PTR = 1 << 4;
    /// Mapped for reading.
    long CL_MAP_READ = 1 << 0;
    /// Mapped for writing.
    long CL_MAP_WRITE = 1 << 1;

    /// `cl_int`: [#CL_COMPLETE], positive while it is on its way, or a negative status if it failed.
    int CL_EVENT_COMMAND_EXECUTION_STATUS = 0x11D3;
    /// The command has finished.
    int CL_COMPLETE = 0;
    /// What the compiler said.
    int CL_PROGRAM_BUILD_LOG = 0x1183;
    /// `size_t`: how many work items of the kernel fit into a group.
    int CL_KERNEL_WORK_GROUP_SIZE = 0x11B0;

    /// Lists platforms; either array may be null.
    int clGetPlatformIDs(int entries, long @Nullable [] platforms, int @Nullable [] count);

    /// Reads a fact into `value`, or its size in bytes into `size[0]`; either may be null.
    int clGetPlatformInfo(long platform, int name, byte @Nullable [] value, long @Nullable [] size);

    /// Lists devices; either array may be null.
    int clGetDeviceIDs(long platform, long type, int entries, long @Nullable [] devices, int @Nullable [] count);

    /// Reads a fact into `value`, or its size in bytes into `size[0]`; either may be null.
    int clGetDeviceInfo(long device, int name, byte @Nullable [] value, long @Nullable [] size);

    /// Creates a context of one device.
    long clCreateContext(long platform, long device, int[] status);

    /// Releases a context.
    int clReleaseContext(long context);

    /// Creates a queue that works in order.
    long clCreateCommandQueue(long context, long device, int[] status);

    /// Releases a queue.
    int clReleaseCommandQueue(long queue);

    /// Hands what is queued to the device.
    int clFlush(long queue);

    /// Waits until everything queued is done.
    int clFinish(long queue);

    /// Creates a buffer; many drivers take the memory only when it is first used.
    long clCreateBuffer(long context, long flags, long bytes, int[] status);

    /// Releases a buffer, once the commands that use it are done.
    int clReleaseMemObject(long buffer);

    /// Writes one byte, `value`, at `offset`.
    int clEnqueueFillBuffer(long queue, long buffer, byte value, long offset, long @Nullable [] event);

    /// Copies native memory to the device. Without `blocking` the memory stays as it is until the event has passed, and
    /// is smaller than 2 GiB.
    int clEnqueueWriteBuffer(long queue, long buffer, boolean blocking, long offset, MemorySegment source, long[] waits,
            long @Nullable [] event);

    /// Copies from the device to native memory; as [#clEnqueueWriteBuffer].
    int clEnqueueReadBuffer(long queue, long buffer, boolean blocking, long offset, MemorySegment target, long[] waits,
            long @Nullable [] event);

    /// Copies between buffers, or within one where the ranges do not overlap.
    int clEnqueueCopyBuffer(long queue, long source, long target, long sourceOffset, long targetOffset, long bytes,
            long[] waits, long @Nullable [] event);

    /// Maps a whole buffer of fewer than 2 GiB and waits for it.
    ///
    /// @return the memory, valid until it is unmapped, or null if the status is not [#CL_SUCCESS]
    @Nullable
    ByteBuffer clEnqueueMapBuffer(long queue, long buffer, long flags, long bytes, int[] status);

    /// Unmaps what [#clEnqueueMapBuffer] returned.
    int clEnqueueUnmapMemObject(long queue, long buffer, ByteBuffer mapped);

    /// A command that does nothing but wait.
    int clEnqueueMarkerWithWaitList(long queue, long[] waits, long @Nullable [] event);

    /// Runs a kernel over one dimension of work items.
    int clEnqueueNDRangeKernel(long queue, long kernel, long globalSize, long localSize, long[] waits,
            long @Nullable [] event);

    /// Waits for an event.
    int clWaitForEvents(long event);

    /// Reads a fact of an event that is a `cl_int`.
    int clGetEventInfo(long event, int name, int[] value);

    /// Releases an event.
    int clReleaseEvent(long event);

    /// Creates a program from its source.
    long clCreateProgramWithSource(long context, String source, int[] status);

    /// Compiles a program and waits for it.
    int clBuildProgram(long program, long device, String options);

    /// Reads a fact into `value`, or its size in bytes into `size[0]`; either may be null.
    int clGetProgramBuildInfo(long program, long device, int name, byte @Nullable [] value, long @Nullable [] size);

    /// Releases a program.
    int clReleaseProgram(long program);

    /// Creates a kernel of a program that was built.
    long clCreateKernel(long program, String function, int[] status);

    /// Reads a fact of a kernel that is a `size_t`.
    int clGetKernelWorkGroupInfo(long kernel, long device, int name, long[] value);

    /// Sets an argument to bytes; those of a buffer are its handle. One thread at a time for each kernel.
    int clSetKernelArg(long kernel, int index, byte[] value);

    /// Releases a kernel.
    int clReleaseKernel(long kernel);
}

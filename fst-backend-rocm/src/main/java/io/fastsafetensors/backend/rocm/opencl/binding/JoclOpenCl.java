package io.fastsafetensors.backend.rocm.opencl.binding;

import io.fastsafetensors.spi.ffm.SignalHandlers;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.jocl.CL;
import org.jocl.NativePointerObject;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_event;
import org.jocl.cl_kernel;
import org.jocl.cl_mem;
import org.jocl.cl_platform_id;
import org.jocl.cl_program;
import org.jspecify.annotations.Nullable;

/// [OpenCl] by JOCL. Leaves JOCL's process-wide switch for exceptions alone: statuses are returned.
///
/// JOCL keeps a thread of its own waiting for each copy that does not block, until the copy is done.
final class JoclOpenCl implements OpenCl {
    private static final int LONG = Long.BYTES;

    private final JoclObjects<cl_platform_id> platforms = new JoclObjects<>();
    private final JoclObjects<cl_device_id> devices = new JoclObjects<>();
    private final JoclObjects<cl_context> contexts = new JoclObjects<>();
    private final JoclObjects<cl_command_queue> queues = new JoclObjects<>();
    private final JoclObjects<cl_mem> buffers = new JoclObjects<>();
    private final JoclObjects<cl_event> events = new JoclObjects<>();
    private final JoclObjects<cl_program> programs = new JoclObjects<>();
    private final JoclObjects<cl_kernel> kernels = new JoclObjects<>();

    // cl_int clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
    @Override
    public int clGetPlatformIDs(int entries, long @Nullable [] found, int @Nullable [] count) {
        cl_platform_id[] objects = found == null ? null : new cl_platform_id[entries];
        int status = SignalHandlers.kept(() -> CL.clGetPlatformIDs(entries, objects, count));
        return add(status, platforms, objects, found);
    }

    // cl_int clGetPlatformInfo(cl_platform_id, cl_platform_info name, size_t size, void *value, size_t *size_ret)
    @Override
    public int clGetPlatformInfo(long platform, int name, byte @Nullable [] value, long @Nullable [] size) {
        return CL.clGetPlatformInfo(platforms.get(platform), name, length(value), pointer(value), size);
    }

    // cl_int clGetDeviceIDs(cl_platform_id, cl_device_type, cl_uint entries, cl_device_id *devices, cl_uint *count)
    @Override
    public int clGetDeviceIDs(long platform, long type, int entries, long @Nullable [] found, int @Nullable [] count) {
        cl_device_id[] objects = found == null ? null : new cl_device_id[entries];
        // PoCL initialises LLVM here, which takes over the signals that the JVM lives on.
        int status = SignalHandlers
                .kept(() -> CL.clGetDeviceIDs(platforms.get(platform), type, entries, objects, count));
        return add(status, devices, objects, found);
    }

    // cl_int clGetDeviceInfo(cl_device_id, cl_device_info name, size_t size, void *value, size_t *size_ret)
    @Override
    public int clGetDeviceInfo(long device, int name, byte @Nullable [] value, long @Nullable [] size) {
        return CL.clGetDeviceInfo(devices.get(device), name, length(value), pointer(value), size);
    }

    // cl_context clCreateContext(const cl_context_properties *, cl_uint num_devices, const cl_device_id *devices,
    //         void (*notify)(...), void *user_data, cl_int *status)
    @Override
    public long clCreateContext(long platform, long device, int[] status) {
        cl_context_properties properties = new cl_context_properties();
        properties.addProperty(CL.CL_CONTEXT_PLATFORM, platforms.get(platform));
        return contexts.add(CL.clCreateContext(properties, 1, new cl_device_id[] {devices.get(device)}, null, null,
                status));
    }

    // cl_int clReleaseContext(cl_context)
    @Override
    public int clReleaseContext(long context) {
        return CL.clReleaseContext(contexts.remove(context));
    }

    // cl_command_queue clCreateCommandQueue(cl_context, cl_device_id, cl_command_queue_properties, cl_int *status)
    // Its successor came with OpenCL 2.0, which not every device has.
    @Override
    @SuppressWarnings("deprecation")
    public long clCreateCommandQueue(long context, long device, int[] status) {
        return queues.add(CL.clCreateCommandQueue(contexts.get(context), devices.get(device), 0, status));
    }

    // cl_int clReleaseCommandQueue(cl_command_queue)
    @Override
    public int clReleaseCommandQueue(long queue) {
        return CL.clReleaseCommandQueue(queues.remove(queue));
    }

    // cl_int clFlush(cl_command_queue)
    @Override
    public int clFlush(long queue) {
        return CL.clFlush(queues.get(queue));
    }

    // cl_int clFinish(cl_command_queue)
    @Override
    public int clFinish(long queue) {
        return CL.clFinish(queues.get(queue));
    }

    // cl_mem clCreateBuffer(cl_context, cl_mem_flags, size_t size, void *host_ptr, cl_int *status)
    @Override
    public long clCreateBuffer(long context, long flags, long bytes, int[] status) {
        return buffers.add(CL.clCreateBuffer(contexts.get(context), flags, bytes, null, status));
    }

    // cl_int clReleaseMemObject(cl_mem)
    @Override
    public int clReleaseMemObject(long buffer) {
        return CL.clReleaseMemObject(buffers.remove(buffer));
    }

    // cl_int clEnqueueFillBuffer(cl_command_queue, cl_mem, const void *pattern, size_t pattern_size, size_t offset,
    //         size_t size, cl_uint num_waits, const cl_event *waits, cl_event *event)
    @Override
    public int clEnqueueFillBuffer(long queue, long buffer, byte value, long offset, long @Nullable [] event) {
        cl_event own = own(event);
        int status = CL.clEnqueueFillBuffer(queues.get(queue), buffers.get(buffer), Pointer.to(new byte[] {value}), 1,
                offset, 1, 0, null, own);
        return add(status, own, event);
    }

    // cl_int clEnqueueWriteBuffer(cl_command_queue, cl_mem, cl_bool blocking, size_t offset, size_t size,
    //         const void *source, cl_uint num_waits, const cl_event *waits, cl_event *event)
    @Override
    public int clEnqueueWriteBuffer(long queue, long buffer, boolean blocking, long offset, MemorySegment source,
            long[] waits, long @Nullable [] event) {
        cl_event own = own(event);
        int status = CL.clEnqueueWriteBuffer(queues.get(queue), buffers.get(buffer), blocking, offset,
                source.byteSize(), memory(source, blocking), waits.length, list(waits), own);
        return add(status, own, event);
    }

    // cl_int clEnqueueReadBuffer(cl_command_queue, cl_mem, cl_bool blocking, size_t offset, size_t size,
    //         void *target, cl_uint num_waits, const cl_event *waits, cl_event *event)
    @Override
    public int clEnqueueReadBuffer(long queue, long buffer, boolean blocking, long offset, MemorySegment target,
            long[] waits, long @Nullable [] event) {
        cl_event own = own(event);
        int status = CL.clEnqueueReadBuffer(queues.get(queue), buffers.get(buffer), blocking, offset,
                target.byteSize(), memory(target, blocking), waits.length, list(waits), own);
        return add(status, own, event);
    }

    // cl_int clEnqueueCopyBuffer(cl_command_queue, cl_mem source, cl_mem target, size_t source_offset,
    //         size_t target_offset, size_t size, cl_uint num_waits, const cl_event *waits, cl_event *event)
    @Override
    public int clEnqueueCopyBuffer(long queue, long source, long target, long sourceOffset, long targetOffset,
            long bytes, long[] waits, long @Nullable [] event) {
        cl_event own = own(event);
        int status = CL.clEnqueueCopyBuffer(queues.get(queue), buffers.get(source), buffers.get(target), sourceOffset,
                targetOffset, bytes, waits.length, list(waits), own);
        return add(status, own, event);
    }

    // void *clEnqueueMapBuffer(cl_command_queue, cl_mem, cl_bool blocking, cl_map_flags, size_t offset, size_t size,
    //         cl_uint num_waits, const cl_event *waits, cl_event *event, cl_int *status)
    @Override
    public @Nullable ByteBuffer clEnqueueMapBuffer(long queue, long buffer, long flags, long bytes, int[] status) {
        return CL.clEnqueueMapBuffer(queues.get(queue), buffers.get(buffer), true, flags, 0, bytes, 0, null, null,
                status);
    }

    // cl_int clEnqueueUnmapMemObject(cl_command_queue, cl_mem, void *mapped, cl_uint num_waits, const cl_event *waits,
    //         cl_event *event)
    @Override
    public int clEnqueueUnmapMemObject(long queue, long buffer, ByteBuffer mapped) {
        return CL.clEnqueueUnmapMemObject(queues.get(queue), buffers.get(buffer), mapped, 0, null, null);
    }

    // cl_int clEnqueueMarkerWithWaitList(cl_command_queue, cl_uint num_waits, const cl_event *waits, cl_event *event)
    @Override
    public int clEnqueueMarkerWithWaitList(long queue, long[] waits, long @Nullable [] event) {
        cl_event own = own(event);
        int status = CL.clEnqueueMarkerWithWaitList(queues.get(queue), waits.length, list(waits), own);
        return add(status, own, event);
    }

    // cl_int clEnqueueNDRangeKernel(cl_command_queue, cl_kernel, cl_uint dimensions, const size_t *global_offset,
    //         const size_t *global_size, const size_t *local_size, cl_uint num_waits, const cl_event *waits,
    //         cl_event *event)
    @Override
    public int clEnqueueNDRangeKernel(long queue, long kernel, long globalSize, long localSize, long[] waits,
            long @Nullable [] event) {
        cl_event own = own(event);
        int status = CL.clEnqueueNDRangeKernel(queues.get(queue), kernels.get(kernel), 1, null,
                new long[] {globalSize}, new long[] {localSize}, waits.length, list(waits), own);
        return add(status, own, event);
    }

    // cl_int clWaitForEvents(cl_uint num_events, const cl_event *events)
    @Override
    public int clWaitForEvents(long event) {
        return CL.clWaitForEvents(1, new cl_event[] {events.get(event)});
    }

    // cl_int clGetEventInfo(cl_event, cl_event_info name, size_t size, void *value, size_t *size_ret)
    @Override
    public int clGetEventInfo(long event, int name, int[] value) {
        return CL.clGetEventInfo(events.get(event), name, Integer.BYTES, Pointer.to(value), null);
    }

    // cl_int clReleaseEvent(cl_event)
    @Override
    public int clReleaseEvent(long event) {
        return CL.clReleaseEvent(events.remove(event));
    }

    // cl_program clCreateProgramWithSource(cl_context, cl_uint count, const char **strings, const size_t *lengths,
    //         cl_int *status)
    @Override
    public long clCreateProgramWithSource(long context, String source, int[] status) {
        return programs
                .add(CL.clCreateProgramWithSource(contexts.get(context), 1, new String[] {source}, null, status));
    }

    // cl_int clBuildProgram(cl_program, cl_uint num_devices, const cl_device_id *devices, const char *options,
    //         void (*notify)(...), void *user_data)
    @Override
    public int clBuildProgram(long program, long device, String options) {
        return SignalHandlers.kept(() -> CL.clBuildProgram(programs.get(program), 1,
                new cl_device_id[] {devices.get(device)}, options, null, null));
    }

    // cl_int clGetProgramBuildInfo(cl_program, cl_device_id, cl_program_build_info name, size_t size, void *value,
    //         size_t *size_ret)
    @Override
    public int clGetProgramBuildInfo(long program, long device, int name, byte @Nullable [] value,
            long @Nullable [] size) {
        return CL.clGetProgramBuildInfo(programs.get(program), devices.get(device), name, length(value),
                pointer(value), size);
    }

    // cl_int clReleaseProgram(cl_program)
    @Override
    public int clReleaseProgram(long program) {
        return CL.clReleaseProgram(programs.remove(program));
    }

    // cl_kernel clCreateKernel(cl_program, const char *function, cl_int *status)
    @Override
    public long clCreateKernel(long program, String function, int[] status) {
        return kernels.add(CL.clCreateKernel(programs.get(program), function, status));
    }

    // cl_int clGetKernelWorkGroupInfo(cl_kernel, cl_device_id, cl_kernel_work_group_info name, size_t size,
    //         void *value, size_t *size_ret)
    @Override
    public int clGetKernelWorkGroupInfo(long kernel, long device, int name, long[] value) {
        return CL.clGetKernelWorkGroupInfo(kernels.get(kernel), devices.get(device), name, LONG, Pointer.to(value),
                null);
    }

    // cl_int clSetKernelArg(cl_kernel, cl_uint index, size_t size, const void *value)
    @Override
    public int clSetKernelArg(long kernel, int index, byte[] value) {
        return CL.clSetKernelArg(kernels.get(kernel), index, value.length, Pointer.to(value));
    }

    // cl_int clReleaseKernel(cl_kernel)
    @Override
    public int clReleaseKernel(long kernel) {
        return CL.clReleaseKernel(kernels.remove(kernel));
    }

    private static <T extends NativePointerObject> int add(int status, JoclObjects<T> handles, T @Nullable [] objects,
            long @Nullable [] found) {
        for (int i = 0; status == CL_SUCCESS && objects != null && found != null && i < objects.length; i++) {
            found[i] = handles.add(objects[i]);
        }
        return status;
    }

    private static @Nullable cl_event own(long @Nullable [] event) {
        return event == null ? null : new cl_event();
    }

    private int add(int status, @Nullable cl_event own, long @Nullable [] event) {
        if (status == CL_SUCCESS && own != null && event != null) {
            event[0] = events.add(own);
        }
        return status;
    }

    private cl_event @Nullable [] list(long[] waits) {
        if (waits.length == 0) {
            return null;
        }
        cl_event[] list = new cl_event[waits.length];
        for (int i = 0; i < waits.length; i++) {
            list[i] = events.get(waits[i]);
        }
        return list;
    }

    /// A pointer to native memory. Where the call does not block JOCL insists on a byte buffer; elsewhere an offset from
    /// the null pointer goes beyond a byte buffer's 2 GiB.
    private static Pointer memory(MemorySegment memory, boolean blocking) {
        return blocking ? new Pointer().withByteOffset(memory.address()) : Pointer.to(memory.asByteBuffer());
    }

    private static long length(byte @Nullable [] value) {
        return value == null ? 0 : value.length;
    }

    private static @Nullable Pointer pointer(byte @Nullable [] value) {
        return value == null ? null : Pointer.to(value);
    }
}

package io.fastsafetensors.backend.rocm.opencl;

import io.fastsafetensors.backend.rocm.opencl.binding.OpenCl;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A driver made of Java memory, for scripts: counts what is alive, fails the calls and the commands it is told to,
/// and keeps commands pending while it is held. Kernels compute nothing; their arguments are kept.
final class FakeDriver implements OpenCl {
    /// A launch of a kernel as the driver saw it.
    record Launch(String function, Map<Integer, byte[]> arguments, long globalSize, long localSize) {
    }

    final List<FakePlatform> platforms = new ArrayList<>();
    /// Every call, in order.
    final List<String> calls = new ArrayList<>();
    final List<Launch> launches = new ArrayList<>();
    /// What no driver survives: handles that were released, or never made.
    final List<String> misuse = new ArrayList<>();
    String buildLog = "fake compiler: all is wrong";
    long kernelGroup = 1024;

    private final Map<Long, String> live = new HashMap<>();
    private final Map<Long, MemorySegment> memory = new HashMap<>();
    private final FakeCommands commands = new FakeCommands();
    private final Map<Long, Map<Integer, byte[]>> arguments = new HashMap<>();
    private final Map<String, Integer> failing = new HashMap<>();
    private int failingCall = -1;
    private int failingStatus;
    private long lastHandle = 4096;

    /// One platform with one graphics processor.
    static FakeDriver ofOneGpu() {
        FakeDriver driver = new FakeDriver();
        driver.platforms.add(new FakePlatform("Fake", new FakeDevice("Fake GPU", CL_DEVICE_TYPE_GPU)));
        return driver;
    }

    /// The call with this number, from 0, returns `status` and does nothing; a release releases all the same.
    void failCall(int number, int status) {
        failingCall = number;
        failingStatus = status;
    }

    /// Every call of the function returns `status` from now on; 0 heals it.
    void fail(String function, int status) {
        failing.put(function, status);
    }

    /// The next command is accepted, and fails later.
    void failNextCommand(int status) {
        commands.failNext(status);
    }

    /// Commands stay pending from now on, until somebody waits for one.
    void hold() {
        commands.hold();
    }

    /// Does what is pending.
    void proceed() {
        commands.proceed();
    }

    /// What was made and not released, by kind.
    Map<String, Long> alive() {
        return live.values().stream().collect(Collectors.groupingBy(k -> k, TreeMap::new, Collectors.counting()));
    }

    private int step(String function) {
        int number = calls.size();
        calls.add(function);
        return number == failingCall ? failingStatus : failing.getOrDefault(function, CL_SUCCESS);
    }

    private long make(String function, String kind, int[] status) {
        status[0] = step(function);
        return status[0] == CL_SUCCESS ? make(kind) : 0;
    }

    private long make(String kind) {
        lastHandle += 64;
        live.put(lastHandle, kind);
        return lastHandle;
    }

    private int release(String function, String kind, long handle) {
        int status = step(function);
        need(kind, handle);
        live.remove(handle);
        return status;
    }

    private void need(String kind, long handle) {
        if (!kind.equals(live.get(handle))) {
            misuse.add(calls.getLast() + " of " + kind + " " + handle + ", which is " + live.get(handle));
        }
    }

    private int list(String function, int count, int entries, long @Nullable [] found, int @Nullable [] counted,
            long first) {
        int status = step(function);
        if (status == CL_SUCCESS) {
            for (int i = 0; found != null && i < entries; i++) {
                found[i] = first + i;
            }
            if (counted != null) {
                counted[0] = count;
            }
        }
        return status;
    }

    private int answer(String function, byte @Nullable [] fact, byte @Nullable [] value, long @Nullable [] size) {
        int status = step(function);
        if (status != CL_SUCCESS || fact == null) {
            return status != CL_SUCCESS ? status : -30;
        }
        if (value != null) {
            System.arraycopy(fact, 0, value, 0, fact.length);
        }
        if (size != null) {
            size[0] = fact.length;
        }
        return CL_SUCCESS;
    }

    private int enqueue(String function, long queue, boolean blocking, long[] waits, long @Nullable [] event,
            Runnable work) {
        int status = step(function);
        if (status != CL_SUCCESS) {
            return status;
        }
        need("queue", queue);
        for (long wait : waits) {
            need("event", wait);
        }
        if (blocking) {
            return commands.block(waits, work);
        }
        long own = make("event");
        commands.queue(own, waits, work);
        if (event == null) {
            live.remove(own);
        } else {
            event[0] = own;
        }
        return CL_SUCCESS;
    }

    @Override
    public int clGetPlatformIDs(int entries, long @Nullable [] found, int @Nullable [] count) {
        if (platforms.isEmpty()) {
            step("clGetPlatformIDs");
            return CL_PLATFORM_NOT_FOUND_KHR;
        }
        return list("clGetPlatformIDs", platforms.size(), entries, found, count, 0x100);
    }

    @Override
    public int clGetPlatformInfo(long platform, int name, byte @Nullable [] value, long @Nullable [] size) {
        FakePlatform asked = platforms.get((int) platform - 0x100);
        String text = name == CL_PLATFORM_NAME ? asked.name() : "OpenCL 3.0 fake";
        return answer("clGetPlatformInfo", FakeDevice.text(text), value, size);
    }

    @Override
    public int clGetDeviceIDs(long platform, long type, int entries, long @Nullable [] devices, int @Nullable [] n) {
        FakePlatform asked = platforms.get((int) platform - 0x100);
        if (asked.devices().isEmpty()) {
            step("clGetDeviceIDs");
            return CL_DEVICE_NOT_FOUND;
        }
        return list("clGetDeviceIDs", asked.devices().size(), entries, devices, n, platform << 8);
    }

    @Override
    public int clGetDeviceInfo(long device, int name, byte @Nullable [] value, long @Nullable [] size) {
        FakeDevice asked = platforms.get((int) (device >> 8) - 0x100).devices().get((int) device & 0xFF);
        return answer("clGetDeviceInfo", asked.facts.get(name), value, size);
    }

    @Override
    public long clCreateContext(long platform, long device, int[] status) {
        return make("clCreateContext", "context", status);
    }

    @Override
    public int clReleaseContext(long context) {
        return release("clReleaseContext", "context", context);
    }

    @Override
    public long clCreateCommandQueue(long context, long device, int[] status) {
        long made = make("clCreateCommandQueue", "queue", status);
        need("context", context);
        return made;
    }

    @Override
    public int clReleaseCommandQueue(long queue) {
        return release("clReleaseCommandQueue", "queue", queue);
    }

    @Override
    public int clFlush(long queue) {
        int status = step("clFlush");
        need("queue", queue);
        return status;
    }

    @Override
    public int clFinish(long queue) {
        int status = step("clFinish");
        need("queue", queue);
        proceed();
        return status;
    }

    @Override
    public long clCreateBuffer(long context, long flags, long bytes, int[] status) {
        long made = make("clCreateBuffer", "buffer", status);
        need("context", context);
        if (made != 0) {
            memory.put(made, Arena.ofAuto().allocate(bytes, 128));
        }
        return made;
    }

    @Override
    public int clReleaseMemObject(long buffer) {
        return release("clReleaseMemObject", "buffer", buffer);
    }

    @Override
    public int clEnqueueFillBuffer(long queue, long buffer, byte value, long offset, long @Nullable [] event) {
        return enqueue("clEnqueueFillBuffer", queue, false, new long[0], event,
                () -> part(buffer, offset, 1).fill(value));
    }

    @Override
    public int clEnqueueWriteBuffer(long queue, long buffer, boolean blocking, long offset, MemorySegment source,
            long[] waits, long @Nullable [] event) {
        return enqueue("clEnqueueWriteBuffer", queue, blocking, waits, event,
                () -> part(buffer, offset, source.byteSize()).copyFrom(source));
    }

    @Override
    public int clEnqueueReadBuffer(long queue, long buffer, boolean blocking, long offset, MemorySegment target,
            long[] waits, long @Nullable [] event) {
        return enqueue("clEnqueueReadBuffer", queue, blocking, waits, event,
                () -> target.copyFrom(part(buffer, offset, target.byteSize())));
    }

    @Override
    public int clEnqueueCopyBuffer(long queue, long source, long target, long sourceOffset, long targetOffset,
            long bytes, long[] waits, long @Nullable [] event) {
        return enqueue("clEnqueueCopyBuffer", queue, false, waits, event,
                () -> part(target, targetOffset, bytes).copyFrom(part(source, sourceOffset, bytes)));
    }

    private MemorySegment part(long buffer, long offset, long bytes) {
        need("buffer", buffer);
        return memory.get(buffer).asSlice(offset, bytes);
    }

    @Override
    public @Nullable ByteBuffer clEnqueueMapBuffer(long queue, long buffer, long flags, long bytes, int[] status) {
        status[0] = step("clEnqueueMapBuffer");
        need("queue", queue);
        need("buffer", buffer);
        return status[0] == CL_SUCCESS ? memory.get(buffer).asByteBuffer() : null;
    }

    @Override
    public int clEnqueueUnmapMemObject(long queue, long buffer, ByteBuffer mapped) {
        int status = step("clEnqueueUnmapMemObject");
        need("queue", queue);
        need("buffer", buffer);
        return status;
    }

    @Override
    public int clEnqueueMarkerWithWaitList(long queue, long[] waits, long @Nullable [] event) {
        return enqueue("clEnqueueMarkerWithWaitList", queue, false, waits, event, () -> {
        });
    }

    @Override
    public int clEnqueueNDRangeKernel(long queue, long kernel, long globalSize, long localSize, long[] waits,
            long @Nullable [] event) {
        need("kernel:" + function(kernel), kernel);
        launches.add(new Launch(function(kernel), Map.copyOf(arguments.get(kernel)), globalSize, localSize));
        return enqueue("clEnqueueNDRangeKernel", queue, false, waits, event, () -> {
        });
    }

    @Override
    public int clWaitForEvents(long event) {
        int status = step("clWaitForEvents");
        need("event", event);
        if (status != CL_SUCCESS) {
            return status;
        }
        proceed();
        return commands.status(event) < 0 ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : CL_SUCCESS;
    }

    @Override
    public int clGetEventInfo(long event, int name, int[] value) {
        int status = step("clGetEventInfo");
        need("event", event);
        value[0] = commands.status(event);
        return status;
    }

    @Override
    public int clReleaseEvent(long event) {
        return release("clReleaseEvent", "event", event);
    }

    @Override
    public long clCreateProgramWithSource(long context, String source, int[] status) {
        return make("clCreateProgramWithSource", "program", status);
    }

    @Override
    public int clBuildProgram(long program, long device, String options) {
        need("program", program);
        return step("clBuildProgram");
    }

    @Override
    public int clGetProgramBuildInfo(long program, long device, int name, byte @Nullable [] value,
            long @Nullable [] size) {
        need("program", program);
        return answer("clGetProgramBuildInfo", (buildLog + "\0").getBytes(StandardCharsets.UTF_8), value, size);
    }

    @Override
    public int clReleaseProgram(long program) {
        return release("clReleaseProgram", "program", program);
    }

    @Override
    public long clCreateKernel(long program, String function, int[] status) {
        long made = make("clCreateKernel", "kernel:" + function, status);
        need("program", program);
        arguments.put(made, new HashMap<>());
        return made;
    }

    @Override
    public int clGetKernelWorkGroupInfo(long kernel, long device, int name, long[] value) {
        value[0] = kernelGroup;
        return step("clGetKernelWorkGroupInfo");
    }

    @Override
    public int clSetKernelArg(long kernel, int index, byte[] value) {
        arguments.get(kernel).put(index, value);
        return step("clSetKernelArg");
    }

    @Override
    public int clReleaseKernel(long kernel) {
        return release("clReleaseKernel", "kernel:" + function(kernel), kernel);
    }

    private String function(long kernel) {
        return live.getOrDefault(kernel, "kernel:none").substring("kernel:".length());
    }

    /// An argument of eight bytes.
    static long word(byte[] value) {
        return ByteBuffer.wrap(value).order(ByteOrder.nativeOrder()).getLong();
    }
}

package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;

/// A driver of one device in host memory. Work is done at once; events pass at once, or when the test says so. A call
/// that needs a context fails without one, and every call fails where the test's script says so: one that releases
/// something releases it all the same, as the real driver does.
final class ScriptedDriver implements CudaDriver {
    static final int INVALID_CONTEXT = 201;
    static final long TOTAL = 1L << 30;
    private static final Map<Integer, String> NAMES = Map.of(1, "CUDA_ERROR_INVALID_VALUE", 2,
            "CUDA_ERROR_OUT_OF_MEMORY", 100, "CUDA_ERROR_NO_DEVICE", 201, "CUDA_ERROR_INVALID_CONTEXT", 218,
            "CUDA_ERROR_INVALID_PTX", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", 712,
            "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", 801, "CUDA_ERROR_NOT_SUPPORTED", 999, "CUDA_ERROR_UNKNOWN");

    /// What is alive, by kind; and how many there have been.
    final Map<String, Set<Object>> alive = new TreeMap<>();
    final Map<String, Integer> created = new TreeMap<>();
    final List<String> calls = new ArrayList<>();
    final List<String> launches = new ArrayList<>();
    final Map<Integer, Integer> attributes = new HashMap<>(Map.of(16, 132, 75, 9, 76, 0, 99, 1));
    int version = 12_040;
    int devices = 1;
    /// Added to every address that is given out.
    long misalignment;
    /// Events that are recorded from now on stay pending.
    volatile boolean pending;
    String compilerLog = "";
    /// The function that failed last as the script says.
    String failed = "none";
    private final Map<Long, MemorySegment> memory = new ConcurrentHashMap<>();
    private final ThreadLocal<Deque<Context>> current = ThreadLocal.withInitial(ArrayDeque::new);
    private final Map<String, Integer> counts = new HashMap<>();
    private final Map<String, Map<Integer, Integer>> script = new HashMap<>();
    private final AtomicInteger retained = new AtomicInteger();

    record Thing(long address) implements Device, Context, Stream, Module, Function {
    }

    static final class Moment implements Event {
        volatile boolean passed = true;

        @Override
        public long address() {
            return System.identityHashCode(this);
        }
    }

    /// Makes the nth call from now (from 1) of a function, or of any (`*`), return a status.
    synchronized void fail(String function, int nth, int status) {
        script.computeIfAbsent(function, f -> new HashMap<>()).put(nth + count(function), status);
    }

    synchronized int count(String function) {
        return function.equals("*") ? calls.size() : counts.getOrDefault(function, 0);
    }

    /// Forgets the calls so far.
    synchronized void restart() {
        calls.clear();
        counts.clear();
    }

    /// Kinds of which something is alive.
    synchronized Map<String, Integer> left() {
        Map<String, Integer> left = new TreeMap<>();
        alive.forEach((kind, things) -> {
            if (!things.isEmpty()) {
                left.put(kind, things.size());
            }
        });
        if (retained.get() != 0) {
            left.put("contexts", retained.get());
        }
        return left;
    }

    boolean isCurrentHere() {
        return !current.get().isEmpty();
    }

    private synchronized int scripted(String function) {
        calls.add(function);
        counts.merge(function, 1, Integer::sum);
        Integer own = script.getOrDefault(function, Map.of()).get(count(function));
        Integer any = script.getOrDefault("*", Map.of()).get(calls.size());
        Integer status = own != null ? own : any;
        if (status == null) {
            return CUDA_SUCCESS;
        }
        failed = function;
        return status;
    }

    private int call(String function, IntSupplier body) {
        int status = scripted(function);
        return status != CUDA_SUCCESS ? status : body.getAsInt();
    }

    private int inContext(String function, IntSupplier body) {
        return call(function, () -> isCurrentHere() ? body.getAsInt() : INVALID_CONTEXT);
    }

    private int release(String function, String kind, Object thing) {
        int status = scripted(function);
        if (!isCurrentHere()) {
            return INVALID_CONTEXT;
        }
        boolean was = remove(kind, thing);
        return status != CUDA_SUCCESS ? status : was ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    }

    private synchronized int add(String kind, Object thing) {
        alive.computeIfAbsent(kind, k -> ConcurrentHashMap.newKeySet()).add(thing);
        created.merge(kind, 1, Integer::sum);
        return CUDA_SUCCESS;
    }

    private synchronized boolean remove(String kind, Object thing) {
        return alive.getOrDefault(kind, Set.of()).remove(thing);
    }

    private synchronized int take(String kind, long[] address, long bytes) {
        if (bytes < 1) {
            return CUDA_ERROR_INVALID_VALUE;
        }
        if (bytes > TOTAL) {
            return CUDA_ERROR_OUT_OF_MEMORY;
        }
        MemorySegment taken = Arena.ofAuto().allocate(bytes + misalignment, 1 << 16);
        address[0] = taken.address() + misalignment;
        memory.put(address[0], taken);
        return add(kind, address[0]);
    }

    private int give(String function, String kind, long address) {
        int status = release(function, kind, address);
        memory.remove(address);
        return status;
    }

    private static MemorySegment bytes(long address, long bytes) {
        return RawMemory.view(address, bytes, Arena.global());
    }

    private int move(String function, long target, long source, long bytes) {
        return inContext(function, () -> {
            bytes(target, bytes).copyFrom(bytes(source, bytes));
            return CUDA_SUCCESS;
        });
    }

    private static int set(int[] result, int value) {
        result[0] = value;
        return CUDA_SUCCESS;
    }

    private static <T> int set(T[] result, T value) {
        result[0] = value;
        return CUDA_SUCCESS;
    }

    private <T> int make(String function, String kind, T[] result, T thing) {
        return inContext(function, () -> {
            result[0] = thing;
            return add(kind, thing);
        });
    }

    @Override
    public int cuInit(int flags) {
        return call("cuInit", () -> CUDA_SUCCESS);
    }

    @Override
    public int cuDriverGetVersion(int[] result) {
        return call("cuDriverGetVersion", () -> set(result, version));
    }

    @Override
    public int cuGetErrorName(int error, String[] name) {
        name[0] = NAMES.get(error);
        return name[0] == null ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    }

    @Override
    public int cuDeviceGetCount(int[] count) {
        return call("cuDeviceGetCount", () -> set(count, devices));
    }

    @Override
    public int cuDeviceGet(Device[] device, int ordinal) {
        return call("cuDeviceGet", () -> set(device, new Thing(ordinal)));
    }

    @Override
    public int cuDeviceGetName(String[] name, Device device) {
        return call("cuDeviceGetName", () -> set(name, "Scripted " + device.address()));
    }

    @Override
    public int cuDeviceTotalMem(long[] bytes, Device device) {
        return call("cuDeviceTotalMem", () -> {
            bytes[0] = TOTAL;
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuDeviceGetAttribute(int[] value, int attribute, Device device) {
        return call("cuDeviceGetAttribute", () -> set(value, attributes.getOrDefault(attribute, 0)));
    }

    @Override
    public int cuDeviceGetPCIBusId(String[] id, Device device) {
        return call("cuDeviceGetPCIBusId", () -> set(id, "0000:3B:0" + device.address() + ".0"));
    }

    @Override
    public int cuDevicePrimaryCtxRetain(Context[] context, Device device) {
        return call("cuDevicePrimaryCtxRetain", () -> {
            context[0] = new Thing(100 + device.address());
            retained.incrementAndGet();
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuDevicePrimaryCtxRelease(Device device) {
        int status = scripted("cuDevicePrimaryCtxRelease");
        retained.decrementAndGet();
        return status;
    }

    @Override
    public int cuCtxPushCurrent(Context context) {
        return call("cuCtxPushCurrent", () -> {
            current.get().push(context);
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuCtxPopCurrent() {
        int status = scripted("cuCtxPopCurrent");
        current.get().pop();
        return status;
    }

    @Override
    public int cuCtxSynchronize() {
        return inContext("cuCtxSynchronize", () -> CUDA_SUCCESS);
    }

    @Override
    public int cuMemGetInfo(long[] free, long[] total) {
        return inContext("cuMemGetInfo", () -> {
            free[0] = TOTAL;
            total[0] = TOTAL;
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuMemAlloc(long[] address, long bytes) {
        return inContext("cuMemAlloc", () -> take("buffers", address, bytes));
    }

    @Override
    public int cuMemFree(long address) {
        return give("cuMemFree", "buffers", address);
    }

    @Override
    public int cuMemHostAlloc(long[] address, long bytes, int flags) {
        return inContext("cuMemHostAlloc", () -> take("pinned", address, bytes));
    }

    @Override
    public int cuMemFreeHost(long address) {
        return give("cuMemFreeHost", "pinned", address);
    }

    @Override
    public int cuMemHostRegister(long address, long bytes, int flags) {
        return inContext("cuMemHostRegister", () -> {
            launches.add("register " + flags);
            return add("registrations", address);
        });
    }

    @Override
    public int cuMemHostUnregister(long address) {
        return release("cuMemHostUnregister", "registrations", address);
    }

    @Override
    public int cuMemcpyHtoDAsync(long target, long source, long bytes, Stream stream) {
        return move("cuMemcpyHtoDAsync", target, source, bytes);
    }

    @Override
    public int cuMemcpyDtoHAsync(long target, long source, long bytes, Stream stream) {
        return move("cuMemcpyDtoHAsync", target, source, bytes);
    }

    @Override
    public int cuMemcpyDtoDAsync(long target, long source, long bytes, Stream stream) {
        return move("cuMemcpyDtoDAsync", target, source, bytes);
    }

    @Override
    public int cuStreamCreate(Stream[] stream, int flags) {
        return make("cuStreamCreate", "streams", stream, new Thing(System.nanoTime()));
    }

    @Override
    public int cuStreamWaitEvent(Stream stream, Event event) {
        return inContext("cuStreamWaitEvent", () -> CUDA_SUCCESS);
    }

    @Override
    public int cuStreamDestroy(Stream stream) {
        return release("cuStreamDestroy", "streams", stream);
    }

    @Override
    public int cuEventCreate(Event[] event, int flags) {
        return make("cuEventCreate", "events", event, new Moment());
    }

    @Override
    public int cuEventRecord(Event event, Stream stream) {
        return inContext("cuEventRecord", () -> {
            ((Moment) event).passed = !pending;
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuEventQuery(Event event) {
        return inContext("cuEventQuery",
                () -> ((Moment) event).passed || !pending ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    }

    @Override
    public int cuEventSynchronize(Event event) {
        return inContext("cuEventSynchronize", () -> {
            while (!((Moment) event).passed && pending) {
                Thread.onSpinWait();
            }
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuEventDestroy(Event event) {
        return release("cuEventDestroy", "events", event);
    }

    @Override
    public int cuModuleLoadDataEx(Module[] module, byte[] image, byte[] errorLog) {
        byte[] log = compilerLog.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(log, 0, errorLog, 0, log.length);
        return make("cuModuleLoadDataEx", "modules", module, new Thing(image.length));
    }

    @Override
    public int cuModuleUnload(Module module) {
        return release("cuModuleUnload", "modules", module);
    }

    @Override
    public int cuModuleGetFunction(Function[] function, Module module, String name) {
        return inContext("cuModuleGetFunction", () -> {
            function[0] = new Thing(name.hashCode());
            return CUDA_SUCCESS;
        });
    }

    @Override
    public int cuLaunchKernel(Function function, int gridDimX, int blockDimX, Stream stream, byte[][] kernelParams) {
        return inContext("cuLaunchKernel", () -> {
            launches.add(gridDimX + " x " + blockDimX + ", " + kernelParams.length + " arguments");
            return CUDA_SUCCESS;
        });
    }
}

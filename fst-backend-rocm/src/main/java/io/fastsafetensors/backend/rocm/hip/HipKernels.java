package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.gpu.EventPool;
import io.fastsafetensors.gpu.kernel.KernelCall;
import io.fastsafetensors.gpu.kernel.PlannedKernels;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The shared kernels on a device, compiled or loaded at their first use. Thread-safe.
final class HipKernels extends PlannedKernels implements AutoCloseable {
    /// Source, its offset, target, its offset, and the struct.
    private static final int ARGUMENTS = 5;

    private final HipDevice device;
    private final EventPool<Long> streams;
    private final KernelCode code;
    private @Nullable HipModule module;

    /// @param streams the pool by which the backend's streams are known
    HipKernels(HipDevice device, EventPool<Long> streams, KernelCode code) {
        this.device = device;
        this.streams = streams;
        this.code = code;
    }

    @Override
    protected void launch(CopyStream stream, DeviceBuffer source, DeviceBuffer target, List<KernelCall> calls) {
        if (!(stream instanceof HipStream queue && queue.isOf(streams))) {
            throw new IllegalArgumentException("not a stream of this backend: " + stream);
        }
        long queued = queue.stream();
        if (calls.isEmpty()) {
            return;
        }
        HipModule loaded = loaded();
        try (HipDevice.Current _ = device.makeCurrent(); Arena arena = Arena.ofConfined()) {
            for (KernelCall call : calls) {
                MemorySegment arguments = arguments(call, source, target, arena);
                Long function = loaded.functions().get(call.function());
                if (function == null) {
                    throw new IllegalStateException("the plan calls " + call.function() + ", which it did not list");
                }
                device.runtime().check("hipModuleLaunchKernel(" + call.function() + ")", device.hip()
                        .hipModuleLaunchKernel(function, call.groups(), call.groupSize(), queued, arguments));
            }
        }
    }

    /// The addresses of the arguments, which follow them.
    private static MemorySegment arguments(KernelCall call, DeviceBuffer source, DeviceBuffer target, Arena arena) {
        MemorySegment values = arena.allocate((ARGUMENTS - 1) * Long.BYTES + call.parameters().length, Long.BYTES);
        values.setAtIndex(ValueLayout.JAVA_LONG, 0, source.handle().value());
        values.setAtIndex(ValueLayout.JAVA_LONG, 1, call.sourceOffset());
        values.setAtIndex(ValueLayout.JAVA_LONG, 2, target.handle().value());
        values.setAtIndex(ValueLayout.JAVA_LONG, 3, call.targetOffset());
        MemorySegment.copy(call.parameters(), 0, values, ValueLayout.JAVA_BYTE, (ARGUMENTS - 1) * Long.BYTES,
                call.parameters().length);
        MemorySegment addresses = arena.allocate(ValueLayout.JAVA_LONG, ARGUMENTS);
        for (int i = 0; i < ARGUMENTS; i++) {
            addresses.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + (long) i * Long.BYTES);
        }
        return addresses;
    }

    private synchronized HipModule loaded() {
        HipModule loaded = module;
        if (loaded == null) {
            loaded = code.load(device.arch(), bytes -> HipModule.load(device, bytes));
            module = loaded;
        }
        return loaded;
    }

    @Override
    public synchronized void close() {
        HipModule loaded = module;
        if (loaded != null) {
            module = null;
            loaded.close();
        }
    }
}

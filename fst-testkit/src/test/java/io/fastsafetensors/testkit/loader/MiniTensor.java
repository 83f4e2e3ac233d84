package io.fastsafetensors.testkit.loader;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/// A tensor in a buffer of its own, closed with its scope.
final class MiniTensor {
    private static final Map<Long, MiniTensor> PASSED = new ConcurrentHashMap<>();

    private final Backend backend;
    private final String name;
    private final AtomicBoolean scope;
    private final DType dtype;
    private final Shape shape;
    private final DeviceBuffer buffer;
    private final long place;
    private final AtomicBoolean closed = new AtomicBoolean();

    private MiniTensor(Backend backend, String name, AtomicBoolean scope, DType dtype, Shape shape, DeviceBuffer buffer,
            long place) {
        this.backend = backend;
        this.name = name;
        this.scope = scope;
        this.dtype = dtype;
        this.shape = shape;
        this.buffer = buffer;
        this.place = place;
    }

    static MiniTensor upload(Backend backend, AtomicBoolean scope, String name, DType dtype, Shape shape, byte[] bytes,
            long place) {
        DeviceBuffer buffer = backend.allocate(bytes.length, 64);
        buffer.segment().orElseThrow().copyFrom(MemorySegment.ofArray(bytes));
        return new MiniTensor(backend, name, scope, dtype, shape, buffer, place);
    }

    Tensor asTensor() {
        return Stub.of(Tensor.class, Map.ofEntries(Map.entry("name", _ -> name),
                Map.entry("toDlpack", _ -> open(this::passedOn)), Map.entry("dtype", _ -> open(() -> dtype)),
                Map.entry("shape", _ -> open(() -> shape)), Map.entry("byteSize", _ -> open(buffer::byteSize)),
                Map.entry("device", _ -> open(() -> backend.info().device())),
                Map.entry("handle", _ -> open(buffer::handle)), Map.entry("address", _ -> open(this::address)),
                Map.entry("copyTo", arguments -> open(() -> ((MemorySegment) arguments[0]).copyFrom(memory()))),
                Map.entry("slice", arguments -> open(() -> sliced((Slice[]) arguments[0]).asTensor())),
                Map.entry("to", arguments -> open(() -> to((DType) arguments[0]).asTensor())),
                Map.entry("detach", _ -> open(() -> detached().asTensor())),
                Map.entry("isClosed", _ -> closed.get() || scope.get()), Map.entry("close", _ -> {
                    closed.set(true);
                    return closed;
                })));
    }

    /// A struct of which only the address counts: it is looked up here.
    private Dlpack passedOn() {
        PASSED.put(buffer.handle().value(), this);
        return Stub.of(Dlpack.class, Map.of("address", _ -> buffer.handle().value(), "consumed", _ -> closed, "close",
                _ -> closed));
    }

    static MiniTensor passed(long address) {
        MiniTensor tensor = PASSED.remove(address);
        AtomicBoolean own = new AtomicBoolean();
        return MiniLoaderProvider.breaks("F-15")
                ? new MiniTensor(tensor.backend, tensor.name, own, tensor.dtype, tensor.shape,
                        tensor.backend.allocate(tensor.buffer.byteSize(), 64), 0)
                : new MiniTensor(tensor.backend, tensor.name, own, tensor.dtype, tensor.shape, tensor.buffer, 0);
    }

    private <T> T open(Supplier<T> action) {
        if (closed.get() || (scope.get() && !MiniLoaderProvider.breaks("F-09"))) {
            throw new IllegalStateException("the tensor is closed");
        }
        return action.get();
    }

    private MemorySegment memory() {
        return buffer.segment().orElseThrow();
    }

    private long address() {
        return buffer.handle().value() + (MiniLoaderProvider.breaks("F-03") ? place % 8 : 0);
    }

    private MiniTensor to(DType target) {
        boolean wrong = MiniLoaderProvider.breaks("F-08") && target == DType.F16;
        return converted(wrong ? DType.BF16 : target);
    }

    MiniTensor converted(DType target) {
        long elements = shape.elements();
        DeviceBuffer result = backend.allocate(target.byteSize(elements), 64);
        try (CopyStream stream = backend.openCopyStream()) {
            backend.kernels().convert(stream, BufferSlice.of(buffer), dtype, BufferSlice.of(result), target, elements);
        }
        return new MiniTensor(backend, name, scope, target, shape, result, 0);
    }

    private MiniTensor detached() {
        AtomicBoolean own = MiniLoaderProvider.breaks("F-10") ? scope : new AtomicBoolean();
        return new MiniTensor(backend, name, own, dtype, shape, buffer, place);
    }

    private MiniTensor sliced(Slice... slices) {
        long offset = 0;
        long stride = shape.elements();
        List<Long> dims = new ArrayList<>();
        List<Long> strides = new ArrayList<>();
        for (int d = 0; d < shape.rank(); d++) {
            long size = shape.dim(d);
            stride /= size;
            switch (d < slices.length ? slices[d] : Slice.all()) {
                case Slice.All _ -> {
                    dims.add(size);
                    strides.add(stride);
                }
                case Slice.At at -> offset += stride * (at.index() < 0 ? at.index() + size : at.index());
                case Slice.Range range -> {
                    boolean back = range.step() < 0;
                    long start = range.start() == Slice.OPEN ? back ? size - 1 : 0 : range.start();
                    long stop = range.stop() == Slice.OPEN ? back ? -1 : size : range.stop();
                    dims.add(Math.ceilDiv(stop - start, range.step()));
                    boolean forward = back && MiniLoaderProvider.breaks("F-06");
                    offset += forward ? 0 : stride * start;
                    strides.add(stride * (forward ? -range.step() : range.step()));
                }
            }
        }
        Strided view = new Strided(Shape.of(dims.stream().mapToLong(n -> n).toArray()), offset,
                strides.stream().mapToLong(n -> n).toArray());
        DeviceBuffer result = backend.allocate(dtype.byteSize(view.shape().elements()), 64);
        try (CopyStream stream = backend.openCopyStream()) {
            backend.kernels().gather(stream, BufferSlice.of(buffer), dtype, view, BufferSlice.of(result), dtype);
        }
        return new MiniTensor(backend, name, scope, dtype, view.shape(), result, 0);
    }
}

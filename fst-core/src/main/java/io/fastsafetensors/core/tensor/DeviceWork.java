package io.fastsafetensors.core.tensor;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.core.memory.BufferView;
import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.TensorScope;
import io.fastsafetensors.core.select.BackendSelector;
import io.fastsafetensors.core.shard.SliceView;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongFunction;

/// Does the device work of tensors: conversions, gathers, copies within a device, to the host and to another device.
///
/// Each call waits for its work, on the calling thread and on a stream that nobody else uses meanwhile, so that calls of
/// several threads do not wait for each other. A source is held for as long as it is read: its scope may be closed at any
/// moment, and its memory goes when the work is done.
///
/// A stream is taken from the device's idle ones and given back; one whose work failed is closed, because nobody
/// knows what it still does.
public final class DeviceWork {
    /// Fills a new buffer from the sources' memory.
    private interface Fill {
        void into(Backend backend, CopyStream stream, BufferSlice target);
    }

    /// Bytes of the page-locked buffer for copies between two memories of which no backend reaches both.
    private static final long STEP = 8 << 20;
    /// A thread that owns no memory: what it may access, a driver's own threads may access too.
    private static final Thread NOBODY = Thread.ofPlatform().unstarted(() -> {
    });

    private DeviceWork() {
    }

    /// A tensor of another dtype in new memory of the source's scope.
    ///
    /// @throws UnsupportedFeatureException if the backend has no kernel for the pair
    static CoreTensor convert(CoreTensor source, DType target) {
        DType from = source.dtype();
        SharedBuffer held = source.holdToRead();
        try {
            if (!held.backend().get().kernels().supports(from, target)) {
                throw new UnsupportedFeatureException("no conversion from " + from + " to " + target,
                        Where.backend(held.backend().get().name()).withTensor(source.name()));
            }
            long elements = source.shape().elements();
            long bytes = convertedBytes(source.name(), target, elements);
            return derived(source, held, target, source.shape(), bytes,
                    (backend, stream, buffer) -> backend.kernels().convert(stream,
                            new BufferSlice(held.buffer(), source.offset(), source.byteSize()), from,
                            buffer, target, elements));
        } finally {
            held.release();
        }
    }

    /// The bytes of `elements` of a dtype.
    ///
    /// @throws UnsupportedFeatureException naming the tensor, if they do not fill whole bytes
    static long convertedBytes(String tensor, DType target, long elements) {
        try {
            return target.byteSize(elements);
        } catch (ArithmeticException e) {
            throw new UnsupportedFeatureException(elements + " elements of " + target + " do not fill whole bytes",
                    Where.nowhere().withTensor(tensor), e);
        }
    }

    /// The elements of a view that are not one run of the source, behind one another in new memory of its scope.
    static CoreTensor gather(CoreTensor source, SliceView view) {
        DType unit = source.dtype().isSubByte() ? DType.U8 : source.dtype();
        SharedBuffer held = source.holdToRead();
        try {
            return derived(source, held, source.dtype(), view.shape(), view.byteSize(),
                    (backend, stream, buffer) -> backend.kernels().gather(stream,
                            new BufferSlice(held.buffer(), source.offset(), source.byteSize()), unit, view.view(),
                            buffer, unit));
        } finally {
            held.release();
        }
    }

    /// Tensors of one scope, dtype and outer dimensions, joined along `dim`.
    static CoreTensor concat(List<CoreTensor> parts, int dim, Shape shape) {
        CoreTensor first = parts.getFirst();
        long outer = 1;
        for (int d = 0; d < dim; d++) {
            outer *= shape.dim(d);
        }
        long rows = outer;
        long bytes = parts.stream().mapToLong(CoreTensor::byteSize).sum();
        SharedBuffer held = first.hold();
        try {
            return derived(first, held, first.dtype(), shape, bytes,
                    (backend, stream, buffer) -> interleave(parts, rows, stream, buffer));
        } finally {
            held.release();
        }
    }

    /// A row is what lies under one index of the dimensions before the joined one: one run of each part, one after the
    /// other.
    private static void interleave(List<CoreTensor> parts, long rows, CopyStream stream, BufferSlice target) {
        long at = target.offset();
        for (long row = 0; row < rows; row++) {
            for (CoreTensor part : parts) {
                long rowBytes = part.byteSize() / rows;
                SharedBuffer held = part.holdToRead();
                try {
                    stream.copy(held.buffer(), part.offset() + row * rowBytes, target.buffer(), at, rowBytes);
                } finally {
                    held.release();
                }
                at += rowBytes;
            }
        }
    }

    /// The new memory belongs to the scope before it is filled, so that a close meanwhile frees it, after the work.
    ///
    /// @param held the source's buffer, held by the caller: it names the backend that does the work
    private static CoreTensor derived(CoreTensor source, SharedBuffer held, DType dtype, Shape shape, long bytes,
            Fill fill) {
        SharedBackend backend = held.backend();
        CoreTensor.Origin origin = source.derivedOrigin();
        TensorScope.Piece piece = place(origin.scope(), backend, bytes);
        try {
            // The scope may be closed meanwhile: its memory is freed when the device has done with it.
            SharedBuffer filled = piece.view().hold();
            try {
                BufferSlice target = new BufferSlice(filled.buffer(), piece.offset(), bytes);
                await(backend, stream -> fill.into(backend.get(), stream, target));
            } finally {
                filled.release();
            }
        } catch (RuntimeException | Error e) {
            new Releases().run(() -> origin.scope().release(piece.view())).because(e);
            throw e;
        }
        return new CoreTensor(origin, piece.view(), true, source.name(), dtype, shape, piece.offset(), bytes);
    }

    /// Memory in a scope: a buffer, or a part of one where it is small.
    ///
    /// Its view counts one user, the tensor that the work makes.
    private static TensorScope.Piece place(TensorScope scope, SharedBackend backend, long bytes) {
        long alignment = backend.get().hints().tensorAlignment();
        LongFunction<SharedBuffer> allocate =
                size -> new SharedBuffer(backend.get().allocate(size, alignment), backend);
        return bytes <= TensorScope.SMALL ? scope.piece(bytes, alignment, allocate)
                : new TensorScope.Piece(scope.view(allocate.apply(bytes)), 0);
    }

    /// Does work on a stream, and returns when it is done. A stream whose work failed is closed and not used again.
    private static void await(SharedBackend backend, Consumer<CopyStream> work) {
        CopyStream stream = backend.takeStream();
        try {
            work.accept(stream);
            stream.synchronize();
        } catch (RuntimeException | Error e) {
            new Releases().run(stream::close).because(e);
            throw e;
        }
        backend.giveStream(stream);
    }

    /// A copy of a tensor in memory of its own.
    ///
    /// @return with a reference for the caller
    public static SharedBuffer copy(CoreTensor source, LoadMemory.Grant memory) {
        SharedBuffer held = source.holdToRead();
        try {
            SharedBackend backend = held.backend();
            SharedBuffer copy = memory.allocateOwned(source.byteSize(), backend.get().hints().tensorAlignment());
            try {
                await(backend, stream -> stream.copy(held.buffer(), source.offset(), copy.buffer(), 0,
                        source.byteSize()));
                return copy;
            } catch (RuntimeException | Error e) {
                new Releases().run(copy::release).because(e);
                throw e;
            }
        } finally {
            held.release();
        }
    }

    /// Copies a tensor's bytes to host memory of the same size: an array, or native memory of any thread.
    ///
    /// A target of a confined arena, or an array, cannot be given to a driver that copies on a thread of its own; it
    /// is filled by way of page-locked memory, on the calling thread.
    ///
    /// @throws IllegalArgumentException if the target is read-only
    static void copyOut(CoreTensor source, MemorySegment target) {
        if (target.isReadOnly()) {
            throw new IllegalArgumentException(
                    "the target of a copy of \"" + Printable.escape(source.name()) + "\" is read-only");
        }
        SharedBuffer held = source.holdToRead();
        try {
            MemorySegment near = held.buffer().segment().orElse(null);
            if (near != null) {
                MemorySegment.copy(near, source.offset(), target, 0, target.byteSize());
            } else if (target.isNative() && target.isAccessibleBy(NOBODY)) {
                copyOut(held, source.offset(), target);
            } else {
                copyOutInSteps(held, source.offset(), target);
            }
        } finally {
            held.release();
        }
    }

    /// Straight into memory that a driver's own thread may write.
    private static void copyOut(SharedBuffer held, long offset, MemorySegment target) {
        try (CopyStream stream = held.backend().get().openCopyStream()) {
            stream.copyToHost(held.buffer(), offset, target);
            stream.synchronize();
        }
    }

    /// An array, or memory that only this thread may touch: by way of memory that the backend knows.
    private static void copyOutInSteps(SharedBuffer held, long offset, MemorySegment target) {
        Backend backend = held.backend().get();
        long bytes = target.byteSize();
        try (StagingBuffer slot = backend.allocateStaging(Math.clamp(bytes, 1, STEP));
                CopyStream stream = backend.openCopyStream()) {
            for (long at = 0; at < bytes; at += STEP) {
                MemorySegment part = slot.segment().asSlice(0, Math.min(STEP, bytes - at));
                stream.copyToHost(held.buffer(), offset + at, part);
                stream.synchronize();
                MemorySegment.copy(part, 0, target, at, part.byteSize());
            }
        }
    }

    /// A copy of `source` on `target`, in the source's scope; `source` itself if it is there already.
    ///
    /// @throws io.fastsafetensors.error.BackendUnavailableException if no backend serves the device
    static CoreTensor move(CoreTensor source, Device target) {
        BackendSelector.Selected selected = BackendSelector.open(Loader.builder().device(target).options());
        SharedBackend there = selected.backend();
        try {
            if (selected.device().equals(source.origin().device())) {
                return source;
            }
            SharedBuffer held = source.holdToRead();
            try {
                return moved(source, selected.device(), copyTo(there, source, held));
            } finally {
                held.release();
            }
        } finally {
            there.release();
        }
    }

    private static CoreTensor moved(CoreTensor source, Device device, SharedBuffer copy) {
        CoreTensor.Origin from = source.derivedOrigin();
        CoreTensor.Origin origin = new CoreTensor.Origin(from.keepAlive(), from.scope(), device, from.leaks());
        BufferView view = origin.scope().view(copy);
        return new CoreTensor(origin, view, true, source.name(), source.dtype(), source.shape(), 0,
                source.byteSize());
    }

    /// Straight where the host can address one of the two devices, else through page-locked memory: backends do not know
    /// each other.
    ///
    /// @return with a reference for the caller
    private static SharedBuffer copyTo(SharedBackend there, CoreTensor source, SharedBuffer held) {
        Backend backend = there.get();
        long bytes = source.byteSize();
        SharedBuffer copy = new SharedBuffer(backend.allocate(bytes, backend.hints().tensorAlignment()), there);
        try (CopyStream out = held.backend().get().openCopyStream(); CopyStream in = backend.openCopyStream()) {
            MemorySegment near = held.buffer().segment().orElse(null);
            MemorySegment far = copy.buffer().segment().orElse(null);
            if (near != null) {
                in.copyToDevice(near.asSlice(source.offset(), bytes), copy.buffer(), 0);
                in.synchronize();
            } else if (far != null) {
                out.copyToHost(held.buffer(), source.offset(), far);
                out.synchronize();
            } else {
                copyInSteps(held, source.offset(), out, copy.buffer(), in, bytes);
            }
            return copy;
        } catch (RuntimeException | Error e) {
            copy.release();
            throw e;
        }
    }

    private static void copyInSteps(SharedBuffer held, long offset, CopyStream out, DeviceBuffer target, CopyStream in,
            long bytes) {
        try (StagingBuffer slot = held.backend().get().allocateStaging(Math.max(1, Math.min(STEP, bytes)))) {
            for (long at = 0; at < bytes; at += STEP) {
                MemorySegment part = slot.segment().asSlice(0, Math.min(STEP, bytes - at));
                out.copyToHost(held.buffer(), offset + at, part);
                out.synchronize();
                in.copyToDevice(part, target, at);
                in.synchronize();
            }
        }
    }
}

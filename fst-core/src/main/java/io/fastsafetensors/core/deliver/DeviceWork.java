package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.memory.LoadMemory;
import io.fastsafetensors.core.memory.TensorScope;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.shard.SliceView;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongFunction;

/// Does the device work of tensors: conversions, gathers, copies. Each call waits for its work.
final class DeviceWork {
    /// Fills a new buffer from the sources' memory.
    private interface Fill {
        void into(Backend backend, CopyStream stream, BufferSlice target);
    }

    private static final long STEP = 8 << 20;
    /// A thread that owns no memory.
    private static final Thread NOBODY = Thread.ofPlatform().unstarted(() -> {
    });

    private DeviceWork() {
    }

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

    private static CoreTensor derived(CoreTensor source, SharedBuffer held, DType dtype, Shape shape, long bytes,
            Fill fill) {
        SharedBackend backend = held.backend();
        CoreTensor.Origin origin = source.derivedOrigin();
        TensorScope.Piece piece = place(origin.scope(), backend, bytes);
        try {
            // The scope may be closed meanwhile: its memory is freed when the device has done with it.
            SharedBuffer filled = piece.lease().hold();
            try {
                BufferSlice target = new BufferSlice(filled.buffer(), piece.offset(), bytes);
                await(backend, stream -> fill.into(backend.get(), stream, target));
            } finally {
                filled.release();
            }
        } catch (RuntimeException | Error e) {
            new Releases().run(() -> origin.scope().release(piece.lease())).because(e);
            throw e;
        }
        return new CoreTensor(origin, piece.lease(), true, source.name(), dtype, shape, piece.offset(), bytes);
    }

    /// Memory in a scope: a buffer, or a part of one where it is small.
    private static TensorScope.Piece place(TensorScope scope, SharedBackend backend, long bytes) {
        long alignment = backend.get().hints().tensorAlignment();
        LongFunction<SharedBuffer> allocate =
                size -> new SharedBuffer(backend.get().allocate(size, alignment), backend);
        return bytes <= TensorScope.SMALL ? scope.piece(bytes, alignment, allocate)
                : new TensorScope.Piece(scope.lease(allocate.apply(bytes)), 0);
    }

    /// Does work on a stream, and returns when it is done.
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
    static SharedBuffer copy(CoreTensor source, LoadMemory.Grant memory) {
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
}

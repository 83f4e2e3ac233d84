package io.fastsafetensors.core.tensor;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.core.dlpack.ExportedTensor;
import io.fastsafetensors.core.dlpack.ImportedTensor;
import io.fastsafetensors.core.memory.BufferView;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.memory.TensorScope;
import io.fastsafetensors.core.shard.SliceView;
import io.fastsafetensors.core.transfer.MappedBuffer;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// A view of one part of a buffer, which its scope (a weights object, a batch, or the tensor itself once detached) holds
/// through a [BufferView].
///
/// It copies nothing and holds no memory by itself: every use asks the scope first, so that a use after the scope's close is
/// an exception and never a read of freed memory. Thread-safe.
///
/// Three kinds, by who ends the view of the memory. Tensors of a load share their file's view, which lasts as long as
/// the weights. Derived ones (converted, gathered, moved) are users of a view of their own in the same scope, which
/// ends with the last of them. A detached one is alone in its scope, and is watched by the leak detector.
public final class CoreTensor implements Tensor {
    /// The state shared by the tensors of one origin.
    ///
    /// @param keepAlive what the user must not lose while a tensor of it is in use: its collection would free the memory
    /// @param scope what the tensors live in
    /// @param device where they are
    /// @param leaks what detached tensors do when they are dropped
    public record Origin(@Nullable Object keepAlive, TensorScope scope, Device device, LeakDetection leaks) {
    }

    private final Origin origin;
    /// How the scope reaches the buffer; ends with the scope at the latest.
    private final BufferView view;
    /// Derived tensors are users of their view, which ends with the last of them; those of a load are not: its views last
    /// as long as its scope, however many tensors are handed out.
    private final boolean countsOnView;
    private final String name;
    private final DType dtype;
    private final Shape shape;
    /// Its first byte in the buffer.
    private final long offset;
    private final long byteSize;
    /// Whether this tensor was closed; its scope may be closed besides.
    private final AtomicBoolean closed = new AtomicBoolean();
    /// Present if the tensor has a scope of its own, which its close ends.
    private LeakDetector.@Nullable Ticket detached;

    /// @param countsOnView whether this tensor is a user of the view, which its close takes away
    public CoreTensor(Origin origin, BufferView view, boolean countsOnView, String name, DType dtype, Shape shape,
            long offset,
            long byteSize) {
        this.origin = origin;
        this.view = view;
        this.countsOnView = countsOnView;
        this.name = name;
        this.dtype = dtype;
        this.shape = shape;
        this.offset = offset;
        this.byteSize = byteSize;
    }

    /// The scope is asked first: that the load is closed explains more than that this tensor is.
    ///
    /// No lock: a close at the same moment comes before or after, and the view of the memory decides.
    private void requireOpen() {
        origin.scope().requireOpen();
        if (closed.get()) {
            throw origin.scope().closed("tensor \"" + Printable.escape(name) + "\"");
        }
    }

    Origin origin() {
        return origin;
    }

    /// Its first byte in the buffer that [#hold()] gives.
    public long offset() {
        return offset;
    }

    /// A hold on the buffer for the length of an operation; the caller releases it.
    public SharedBuffer hold() {
        requireOpen();
        return view.hold();
    }

    /// Makes sure that the bytes are there to be read.
    ///
    /// @throws io.fastsafetensors.error.StorageException if they lie in a mapping of a file that has them no longer
    public void requireReadable() {
        holdToRead().release();
    }

    /// As [#hold()], for an operation that reads the bytes here.
    ///
    /// For mappings it looks whether the file still has the pages; a file that is cut after that is an error in Java
    /// and a fault in native code.
    ///
    /// @throws io.fastsafetensors.error.StorageException if they lie in a mapping of a file that has them no longer
    public SharedBuffer holdToRead() {
        SharedBuffer held = hold();
        try {
            if (held.buffer() instanceof MappedBuffer mapped) {
                mapped.requireReadable(offset, byteSize);
            }
            return held;
        } catch (RuntimeException | Error e) {
            new Releases().run(held::release).because(e);
            throw e;
        }
    }

    @Override
    public String name() {
        requireOpen();
        return name;
    }

    @Override
    public DType dtype() {
        requireOpen();
        return dtype;
    }

    @Override
    public Shape shape() {
        requireOpen();
        return shape;
    }

    @Override
    public long byteSize() {
        requireOpen();
        return byteSize;
    }

    @Override
    public Device device() {
        requireOpen();
        return origin.device();
    }

    @Override
    public DeviceHandle handle() {
        requireOpen();
        return view.handle(offset);
    }

    @Override
    public long address() {
        return pointer(handle(), name);
    }

    @Override
    public boolean isHostAddressable() {
        SharedBuffer held = hold();
        try {
            return held.buffer().segment().isPresent();
        } finally {
            held.release();
        }
    }

    @Override
    public MemorySegment segment() {
        requireOpen();
        MemorySegment memory = view.segment(offset, byteSize);
        if (memory == null) {
            throw new UnsupportedFeatureException("the host cannot address memory of " + origin.device()
                    + "; copy it with copyTo", Where.nowhere().withTensor(name));
        }
        return memory;
    }

    @Override
    public void copyTo(MemorySegment target) {
        Objects.requireNonNull(target, "target");
        requireOpen();
        if (target.byteSize() != byteSize) {
            throw new IllegalArgumentException(
                    "tensor \"" + Printable.escape(name) + "\" has " + byteSize + " bytes, the target "
                            + target.byteSize());
        }
        DeviceWork.copyOut(this, target);
    }

    /// @throws UnsupportedFeatureException on a device whose memory is objects (OpenCL)
    private static long pointer(DeviceHandle handle, String name) {
        if (!handle.isPointer()) {
            throw new UnsupportedFeatureException("this device has no pointers; use handle()",
                    Where.nowhere().withTensor(name));
        }
        return handle.value();
    }

    /// The address is the buffer's, so it stays the same as long as the pin is open.
    @Override
    public Pin pin() {
        return new HeldMemory(hold(), offset, byteSize, name);
    }

    /// A pin: one hold on the buffer, which outlasts the tensor and its scope. It refers to the buffer alone, so that the
    /// address stays valid after the tensor was closed and collected.
    private static final class HeldMemory implements Pin {
        private final SharedBuffer buffer;
        private final DeviceHandle handle;
        private final long byteSize;
        private final String name;
        private final AtomicBoolean closed = new AtomicBoolean();

        /// @param buffer with a hold, which is taken over
        HeldMemory(SharedBuffer buffer, long offset, long byteSize, String name) {
            this.buffer = buffer;
            this.handle = buffer.handle(offset);
            this.byteSize = byteSize;
            this.name = name;
        }

        private void requireOpen() {
            if (closed.get()) {
                throw new IllegalStateException("the pin of tensor \"" + Printable.escape(name) + "\" is closed");
            }
        }

        @Override
        public DeviceHandle handle() {
            requireOpen();
            return handle;
        }

        @Override
        public long address() {
            return pointer(handle(), name);
        }

        @Override
        public long byteSize() {
            requireOpen();
            return byteSize;
        }

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                buffer.release();
            }
        }
    }

    @Override
    public void releaseAfter(long nativeStream) {
        SharedBuffer held = hold();
        try {
            held.releaseAfter(held.backend().get().fenceBehind(nativeStream));
        } finally {
            held.release();
        }
    }

    @Override
    public CoreTensor slice(Slice... slices) {
        Objects.requireNonNull(slices, "slices");
        requireOpen();
        SliceView slice = SliceView.of(name, dtype, shape, slices);
        if (slice.contiguous()) {
            return part(slice.shape(), offset + slice.byteOffset(), slice.byteSize());
        }
        return DeviceWork.gather(this, slice);
    }

    /// Other elements of the same memory, in the same scope.
    ///
    /// A tensor in the memory of a derived one is one more user of its view, so the two may be closed in any order.
    private CoreTensor part(Shape newShape, long newOffset, long newBytes) {
        if (countsOnView) {
            view.retain();
        }
        return new CoreTensor(derivedOrigin(), view, countsOnView, name, dtype, newShape, newOffset, newBytes);
    }

    @Override
    public Tensor to(DType target) {
        Objects.requireNonNull(target, "dtype");
        requireOpen();
        return target == dtype ? this : DeviceWork.convert(this, target);
    }

    @Override
    public Tensor to(Device target) {
        Objects.requireNonNull(target, "device");
        requireOpen();
        return target.equals(origin.device()) ? this : DeviceWork.move(this, target);
    }

    @Override
    public CoreTensor detach() {
        return detached(hold(), origin.device(), origin.leaks(), name, dtype, shape, offset, byteSize);
    }

    /// A detached tensor like this one in other memory.
    ///
    /// @param copy its bytes, with a reference that the tensor takes over
    public CoreTensor detachedAs(SharedBuffer copy) {
        return detached(copy, origin.device(), origin.leaks(), name, dtype, shape, 0, byteSize);
    }

    /// A tensor in a scope of its own.
    ///
    /// @param held with a hold, which the tensor takes over
    private static CoreTensor detached(SharedBuffer held, Device device, LeakDetection leaks, String name, DType dtype,
            Shape shape, long offset, long byteSize) {
        TensorScope own = new TensorScope("detached tensor \"" + Printable.escape(name) + "\"");
        try {
            CoreTensor tensor =
                    new CoreTensor(new Origin(null, own, device, leaks), own.view(held), false, name, dtype,
                            shape, offset, byteSize);
            tensor.detached = LeakDetector.watch(tensor, own.toString(), leaks, own::close);
            return tensor;
        } catch (RuntimeException | Error e) {
            new Releases().run(own::close).because(e);
            throw e;
        }
    }

    /// A tensor in a scope of its own, at the beginning of a buffer.
    ///
    /// @param held with a hold, which the tensor takes over
    static CoreTensor detached(SharedBuffer held, Device device, LeakDetection leaks, String name, DType dtype,
            Shape shape, long byteSize) {
        return detached(held, device, leaks, name, dtype, shape, 0, byteSize);
    }

    /// A detached tensor in another framework's memory, named `dlpack`.
    ///
    /// The struct is owned only once the tensor exists: until then a failure leaves it with its producer.
    ///
    /// @throws IllegalStateException if the device is closed
    public static CoreTensor adopt(ImportedTensor lent, SharedBackend backend, Device device, LeakDetection leaks) {
        SharedBuffer held;
        try {
            held = new SharedBuffer(lent.buffer(), backend);
        } catch (IllegalStateException closed) {
            lent.buffer().close();
            throw closed;
        }
        CoreTensor tensor = detached(held, device, leaks, "dlpack", lent.dtype(), lent.shape(), 0, lent.byteSize());
        lent.buffer().own();
        return tensor;
    }

    /// The origin of what is derived from this tensor: a detached one must outlive its derivatives.
    ///
    /// Otherwise the collector could free the memory of a detached tensor whose derivative is still in use.
    Origin derivedOrigin() {
        return detached == null ? origin : new Origin(this, origin.scope(), origin.device(), origin.leaks());
    }

    @Override
    public Dlpack toDlpack(DlpackVersion version) {
        Objects.requireNonNull(version, "version");
        SharedBuffer held = hold();
        return ExportedTensor.of(new ExportedTensor.Source(name, dtype, shape, byteSize, held, offset), version,
                origin.leaks());
    }

    @Override
    public boolean isClosed() {
        return closed.get() || origin.scope().isClosed();
    }

    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        if (detached != null) {
            new Releases().run(detached::close).run(origin.scope()::close).finish();
        } else if (countsOnView) {
            origin.scope().release(view);
        }
    }

    @Override
    public String toString() {
        return "Tensor[" + Printable.escape(name) + ", " + dtype + " " + shape + ", " + origin.device()
                + (isClosed() ? ", closed]" : "]");
    }
}

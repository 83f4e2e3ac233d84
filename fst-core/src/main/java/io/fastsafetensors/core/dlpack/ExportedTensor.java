package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.spi.ffm.NativeAccess;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.concurrent.atomic.AtomicReference;

/// A struct on its way to a consumer.
public final class ExportedTensor implements Dlpack {
    /// The memory to hand on.
    ///
    /// @param name how messages call it
    /// @param dtype the element type
    /// @param shape the dimensions
    /// @param byteSize how many bytes
    /// @param buffer the memory, with a hold that the struct takes over
    /// @param offset the first byte in the buffer
    public record Source(String name, DType dtype, Shape shape, long byteSize, SharedBuffer buffer, long offset) {
    }

    private enum State {
        OPEN, CONSUMED, CLOSED
    }

    private final String what;
    private final DlpackVersion version;
    private final Exports.Export export;
    private final AtomicReference<State> state = new AtomicReference<>(State.OPEN);

    private ExportedTensor(String what, DlpackVersion version, Exports.Export export) {
        this.what = what;
        this.version = version;
        this.export = export;
    }

    /// Makes a struct of a tensor. The hold on its buffer belongs to the struct then, and is released if this throws.
    ///
    /// @param leaks what to say if the struct is neither consumed nor closed
    /// @throws UnsupportedFeatureException if DLPack, or this version of it, cannot say what the tensor is, or if
    ///         native access is denied
    public static Dlpack of(Source source, DlpackVersion version, LeakDetection leaks) {
        // Without elements there is no pointer, and PyTorch before 2.1 deletes nothing that has none: hold no memory.
        boolean holds = source.byteSize() > 0;
        ExportedTensor exported;
        try {
            NativeAccess.require("DLPack");
            Exports.Export export = new Exports.Export(struct(source, version), holds ? source.buffer() : null);
            String what = "DLPack struct of tensor \"" + Printable.escape(source.name()) + "\"";
            exported = new ExportedTensor(what, version, export);
            export.watchedBy(LeakDetector.watch(exported, what, leaks, export::delete));
            Exports.add(export);
        } catch (RuntimeException | Error e) {
            source.buffer().release();
            throw e;
        }
        if (!holds) {
            source.buffer().release();
        }
        return exported;
    }

    private static ManagedTensor struct(Source source, DlpackVersion version) {
        DlpackElements elements = DlpackElements.of(source.dtype(), source.shape(), source.byteSize(), version);
        ManagedTensor struct = ManagedTensor.allocate(version, elements.shape().rank(), Arena.ofAuto());
        struct.dtype(elements.type());
        DeviceInfo device = source.buffer().backend().get().info();
        struct.device(DeviceType.of(device, source.name()), device.device().index());
        if (source.byteSize() > 0) {
            DeviceHandle handle = source.buffer().handle(source.offset());
            struct.data(handle.value(), handle.offset());
        }
        if (isReadOnly(source.buffer().buffer())) {
            if (version == DlpackVersion.LEGACY) {
                throw new UnsupportedFeatureException("the memory is read-only, which the legacy struct of DLPack"
                        + " cannot say; use the versioned one", Where.nowhere().withTensor(source.name()));
            }
            struct.flags(ManagedTensor.FLAG_READ_ONLY);
        }
        struct.shape(elements.shape().toArray(), elements.strides());
        struct.deleter(Exports.deleter());
        return struct;
    }

    private static boolean isReadOnly(DeviceBuffer buffer) {
        return buffer instanceof ForeignBuffer foreign ? foreign.isReadOnly()
                : buffer.segment().map(MemorySegment::isReadOnly).orElse(false);
    }

    @Override
    public long address() {
        if (state.get() != State.OPEN) {
            throw new IllegalStateException(what + " is " + (state.get() == State.CLOSED ? "closed" : "consumed"));
        }
        if (!export.isOut()) {
            throw new IllegalStateException(what + " was deleted by its consumer");
        }
        return export.struct().address();
    }

    @Override
    public DlpackVersion version() {
        return version;
    }

    @Override
    public void consumed() {
        try {
            State before = state.compareAndExchange(State.OPEN, State.CONSUMED);
            if (before == State.CLOSED) {
                throw new IllegalStateException(what + " is closed");
            }
            export.endWatch();
        } finally {
            // Collected before the watch has ended, this would take the struct with it.
            Reference.reachabilityFence(this);
        }
    }

    @Override
    public void close() {
        if (state.compareAndSet(State.OPEN, State.CLOSED)) {
            export.delete();
        }
    }

    @Override
    public String toString() {
        return what + " (" + version + (state.get() == State.OPEN ? ")" : ", " + state.get() + ")");
    }
}

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
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.ffm.Callback;
import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// A DLPack struct on its way to a consumer, and the process's one function that consumers delete structs with.
///
/// Structs are found by their address and not by what they hold (`manager_ctx` is null): a consumer that deletes one twice
/// passes memory that may not be read any more. A struct's memory is the garbage collector's, so that its address does
/// not come back while anybody in Java still knows it.
///
/// What is out ([Export]) knows nothing of the [ExportedTensor]: that is the user's handle, and has to be collectable while
/// the struct is out, for its leak to be told. Safe for use by many threads; consumers delete on threads of their own.
public final class ExportedTensor implements Dlpack {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    /// By the struct's address.
    private static final Map<Long, Export> OUT = new ConcurrentHashMap<>();
    /// 0 until it is made; never freed, since consumers may call it as long as the process lives.
    private static long deleter;

    /// The memory to hand on.
    ///
    /// @param name how messages call it
    /// @param dtype the element type
    /// @param shape the dimensions
    /// @param byteSize how many bytes
    /// @param buffer the memory, retained once for the struct, which takes that over
    /// @param offset the first byte in the buffer
    public record Source(String name, DType dtype, Shape shape, long byteSize, SharedBuffer buffer, long offset) {
    }

    /// One change at most: what was consumed is the consumer's to delete, what was closed was deleted here.
    private enum State {
        OPEN, CONSUMED, CLOSED
    }

    private final String what;
    private final DlpackVersion version;
    private final Export export;
    private final AtomicReference<State> state = new AtomicReference<>(State.OPEN);

    private ExportedTensor(String what, DlpackVersion version, Export export) {
        this.what = what;
        this.version = version;
        this.export = export;
    }

    /// Makes a struct of a tensor. What its buffer was retained for it belongs to the struct then, and is released if this
    /// throws.
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
            Export export = new Export(struct(source, version), holds ? source.buffer() : null);
            String what = "DLPack struct of tensor \"" + Printable.escape(source.name()) + "\"";
            exported = new ExportedTensor(what, version, export);
            export.watchedBy(LeakDetector.watch(exported, what, leaks, export::delete));
            OUT.put(export.struct.address(), export);
        } catch (RuntimeException | Error e) {
            source.buffer().release();
            throw e;
        }
        if (!holds) {
            source.buffer().release();
        }
        return exported;
    }

    /// The struct, filled. Where this throws nothing has to be freed: its memory is the garbage collector's.
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
        struct.deleter(deleter());
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
        return export.struct.address();
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

    /// One struct that a consumer has, or will have. It ends once, by what is first: its deleter, [#close()], or the leak
    /// detector.
    private static final class Export {
        private final ManagedTensor struct;
        private final @Nullable SharedBuffer buffer;
        /// Null until the handle is watched.
        private volatile LeakDetector.@Nullable Ticket ticket;

        /// @param buffer retained for the struct, which releases it when it ends; or null
        Export(ManagedTensor struct, @Nullable SharedBuffer buffer) {
            this.struct = struct;
            this.buffer = buffer;
        }

        /// What to close when the struct is deleted.
        void watchedBy(LeakDetector.Ticket watch) {
            ticket = watch;
        }

        void endWatch() {
            LeakDetector.Ticket watch = ticket;
            if (watch != null) {
                watch.close();
            }
        }

        /// Whether nobody has deleted it yet; another struct may have its address by now.
        boolean isOut() {
            return OUT.get(struct.address()) == this;
        }

        /// Deletes the struct and releases its memory, unless that has been done. From any thread.
        boolean delete() {
            if (!OUT.remove(struct.address(), this)) {
                return false;
            }
            Releases releases = new Releases().run(this::endWatch);
            if (buffer != null) {
                releases.run(buffer::release);
            }
            releases.finish();
            return true;
        }
    }

    /// The address of `void (*deleter)(struct DLManagedTensor… *self)`, the same for all structs of the process.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if native access is denied
    static synchronized long deleter() {
        if (deleter == 0) {
            deleter = Callback.of("the deleter of a DLPack struct", ExportedTensor::delete);
        }
        return deleter;
    }

    /// How many structs are out, for tests: 0 once consumers have called the deleter for all they were given.
    static int out() {
        return OUT.size();
    }

    /// Called by consumers on any of their threads, the garbage collector's of Python among them; so it neither waits nor
    /// throws.
    private static void delete(long address) {
        Export export = OUT.get(address);
        boolean deleted;
        try {
            deleted = export != null && export.delete();
        } catch (RuntimeException | Error e) {
            // What is thrown into native code ends the process.
            LOG.log(Level.WARNING, "memory that a consumer of DLPack gave back could not be freed", e);
            deleted = true;
        }
        if (!deleted) {
            LOG.log(Level.WARNING, "the deleter of the DLPack struct at 0x" + Long.toHexString(address)
                    + " was called for a struct that is not there: a consumer deletes it twice, or it was closed"
                    + " without consumed() though it had been passed on");
        }
    }
}

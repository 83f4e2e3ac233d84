package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Memory that another framework allocated and lent. Freed by calling its deleter, from the thread that closes this.
///
/// A buffer like any other to the device's backend, which goes by handle and segment. The owner's deleter is called
/// once, outside the lock, since it may call back; where nothing was taken over ([#own()] was not called) it is never
/// called.
public final class ForeignBuffer implements DeviceBuffer {
    private final long address;
    private final long byteSize;
    private final boolean readOnly;
    private final long struct;
    private final long deleter;
    /// Ends the segment; null for memory that the host cannot reach.
    private final @Nullable Arena arena;
    private final @Nullable MemorySegment segment;
    /// Guarded by this, as [#closed].
    private boolean owned;
    private boolean closed;

    /// @param address the first byte
    /// @param host whether it is host memory
    /// @param struct what to pass to the deleter
    /// @param deleter the function, or 0 for none
    @SuppressWarnings("MustBeClosed")
    ForeignBuffer(long address, long byteSize, boolean host, boolean readOnly, long struct, long deleter) {
        this.address = address;
        this.byteSize = byteSize;
        this.readOnly = readOnly;
        this.struct = struct;
        this.deleter = deleter;
        this.arena = host ? Arena.ofShared() : null;
        MemorySegment view = arena == null ? null : RawMemory.view(address, byteSize, arena);
        this.segment = view != null && readOnly ? view.asReadOnly() : view;
    }

    /// From now on closing this deletes the struct; before, it stays with the caller.
    public synchronized void own() {
        owned = true;
    }

    /// Whether the owner forbids writing; the segment of such a buffer refuses it.
    boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public synchronized long byteSize() {
        requireOpen();
        return byteSize;
    }

    @Override
    public synchronized DeviceHandle handle() {
        requireOpen();
        return DeviceHandle.pointer(address);
    }

    @Override
    public synchronized Optional<MemorySegment> segment() {
        requireOpen();
        return Optional.ofNullable(segment);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the buffer taken over through DLPack is closed");
        }
    }

    /// @throws IllegalStateException if a native call in flight uses the segment; nothing is changed then
    @Override
    public void close() {
        boolean delete;
        synchronized (this) {
            if (closed) {
                return;
            }
            if (arena != null) {
                arena.close();
            }
            closed = true;
            delete = owned && deleter != 0;
        }
        if (delete) {
            // void (*deleter)(struct DLManagedTensor… *self)
            WordFunction.at(deleter).call(struct);
        }
    }

    /// Where it is and how large.
    @Override
    public String toString() {
        return byteSize + " bytes of another framework at 0x" + Long.toHexString(address);
    }
}

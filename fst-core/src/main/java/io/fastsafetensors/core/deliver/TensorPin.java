package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Pin;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.DeviceHandle;
import java.util.concurrent.atomic.AtomicBoolean;

/// A hold on a buffer that the user closes.
final class TensorPin implements Pin {
    private final SharedBuffer buffer;
    private final DeviceHandle handle;
    private final long byteSize;
    private final String name;
    private final AtomicBoolean closed = new AtomicBoolean();

    /// Takes over one hold on `buffer`.
    TensorPin(SharedBuffer buffer, long offset, long byteSize, String name) {
        this.buffer = buffer;
        this.handle = buffer.handle(offset);
        this.byteSize = byteSize;
        this.name = name;
    }

    static long pointer(DeviceHandle handle, String name) {
        if (!handle.isPointer()) {
            throw new UnsupportedFeatureException("this device has no pointers; use handle()",
                    Where.nowhere().withTensor(name));
        }
        return handle.value();
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

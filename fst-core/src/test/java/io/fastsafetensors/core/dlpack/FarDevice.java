package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// Memory that nobody can read, and a count of what was freed.
final class FarDevice {
    final AtomicInteger freed = new AtomicInteger();
    final AtomicInteger closed = new AtomicInteger();
    /// What freeing a buffer throws, if anything.
    volatile RuntimeException failure;

    /// A backend that says which device it is, and can be closed.
    SharedBackend backend(DeviceInfo device) {
        Backend backend = (Backend) Proxy.newProxyInstance(FarDevice.class.getClassLoader(),
                new Class<?>[] {Backend.class}, (_, method, _) -> {
                    if (method.getName().equals("info")) {
                        return device;
                    }
                    if (!method.getName().equals("close")) {
                        throw new AssertionError(method.getName());
                    }
                    return closed.incrementAndGet() > 0 ? null : this;
                });
        return new SharedBackend(backend, closing -> {
        });
    }

    /// A buffer with one hold, and none on the backend but its own.
    SharedBuffer buffer(DeviceInfo device, DeviceHandle handle, long bytes) {
        SharedBackend backend = backend(device);
        SharedBuffer buffer = new SharedBuffer(new DeviceBuffer() {
            @Override
            public long byteSize() {
                return bytes;
            }

            @Override
            public DeviceHandle handle() {
                return handle;
            }

            @Override
            public Optional<MemorySegment> segment() {
                return Optional.empty();
            }

            @Override
            public void close() {
                freed.incrementAndGet();
                if (failure != null) {
                    throw failure;
                }
            }
        }, backend);
        backend.release();
        return buffer;
    }
}

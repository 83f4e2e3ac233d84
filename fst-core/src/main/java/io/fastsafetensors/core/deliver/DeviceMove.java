package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.core.memory.BufferView;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.select.BackendSelector;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;

/// Copies tensors from one device to another: straight where the host can address one of the two, else through a
/// page-locked slot. Each call waits for its copies.
final class DeviceMove {
    private static final long STEP = 8 << 20;

    private DeviceMove() {
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
                return arrived(source, selected.device(), copy(source, held, there));
            } finally {
                held.release();
            }
        } finally {
            there.release();
        }
    }

    private static CoreTensor arrived(CoreTensor source, Device device, SharedBuffer copy) {
        CoreTensor.Origin from = source.derivedOrigin();
        CoreTensor.Origin origin = new CoreTensor.Origin(from.keepAlive(), from.scope(), device, from.leaks());
        BufferView lease = origin.scope().lease(copy);
        return new CoreTensor(origin, lease, true, source.name(), source.dtype(), source.shape(), 0,
                source.byteSize());
    }

    private static SharedBuffer copy(CoreTensor source, SharedBuffer held, SharedBackend there) {
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
                bounce(held, source.offset(), out, copy.buffer(), in, bytes);
            }
            return copy;
        } catch (RuntimeException | Error e) {
            copy.release();
            throw e;
        }
    }

    private static void bounce(SharedBuffer held, long offset, CopyStream out, DeviceBuffer target, CopyStream in,
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

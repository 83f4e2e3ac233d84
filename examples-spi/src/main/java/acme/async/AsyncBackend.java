package acme.async;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.base.BaseBackend;
import io.fastsafetensors.spi.base.BaseBuffer;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLongArray;

/// One device with memory of its own.
final class AsyncBackend extends BaseBackend {
    static final long TOTAL = 8L << 30;
    private static final DeviceHandle.Kind KIND = new DeviceHandle.Kind("ASYNC");
    private static final AtomicLongArray USED = new AtomicLongArray(2);

    private final int index;

    AsyncBackend(DeviceInfo info) {
        super(AsyncProvider.NAME, info);
        this.index = info.device().index();
    }

    @Override
    public TransferHints hints() {
        return TransferHints.defaults().withReaders(4).withBlockBytes(1 << 20);
    }

    @Override
    public MemoryInfo memory() {
        return MemoryInfo.of(TOTAL - USED.get(index), TOTAL);
    }

    @Override
    protected DeviceBuffer newBuffer(long bytes, long alignment) {
        long used = USED.getAndUpdate(index, now -> bytes > TOTAL - now ? now : now + bytes);
        if (bytes > TOTAL - used) {
            throw new OutOfDeviceMemoryException(bytes, TOTAL - used, Where.backend(name()));
        }
        Arena arena = Arena.ofShared();
        MemorySegment memory = arena.allocate(Math.max(bytes, 1), alignment).asSlice(0, bytes);
        return new Buffer(index, memory, lifetime().memory("the buffer of " + bytes + " bytes", arena,
                () -> USED.addAndGet(index, -bytes)));
    }

    @Override
    protected CopyStream newStream() {
        return new AsyncStream(index, lifetime());
    }

    /// Device memory, which the host does not see.
    static final class Buffer extends BaseBuffer {
        private final int device;
        private final MemorySegment memory;

        Buffer(int device, MemorySegment memory, Lifetime lifetime) {
            super(memory.byteSize(), DeviceHandle.object(KIND, memory.address()), lifetime);
            this.device = device;
            this.memory = memory;
        }

        /// The bytes of a buffer of this device.
        static MemorySegment part(int device, DeviceBuffer buffer, long offset, long bytes) {
            if (buffer instanceof Buffer mine && mine.device == device) {
                return mine.memory.asSlice(offset, bytes);
            }
            throw new IllegalArgumentException("a buffer of another device: " + buffer);
        }
    }
}

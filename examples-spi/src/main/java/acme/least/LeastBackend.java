package acme.least;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.base.BaseBackend;
import io.fastsafetensors.spi.base.BaseBuffer;
import io.fastsafetensors.spi.base.BaseStream;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;

/// Allocates arenas where a driver would be called, and copies on the caller's thread.
final class LeastBackend extends BaseBackend {
    static final long TOTAL = 8L << 30;
    private static final DeviceHandle.Kind KIND = new DeviceHandle.Kind("LEAST");
    private static final AtomicLong USED = new AtomicLong();

    LeastBackend() {
        super("least", LeastProvider.DEVICE);
    }

    @Override
    public MemoryInfo memory() {
        return MemoryInfo.of(TOTAL - USED.get(), TOTAL);
    }

    @Override
    protected DeviceBuffer newBuffer(long bytes, long alignment) {
        if (bytes > TOTAL - USED.get()) {
            throw new OutOfDeviceMemoryException(bytes, TOTAL - USED.get(), Where.backend(name()));
        }
        Arena arena = Arena.ofShared();
        MemorySegment memory = arena.allocate(Math.max(bytes, 1), alignment).asSlice(0, bytes);
        USED.addAndGet(bytes);
        return new Buffer(memory, lifetime().memory("the buffer of " + bytes + " bytes", arena,
                () -> USED.addAndGet(-bytes)));
    }

    @Override
    protected CopyStream newStream() {
        return new Stream(lifetime());
    }

    /// Device memory, which the host does not see.
    private static final class Buffer extends BaseBuffer {
        private final MemorySegment memory;

        Buffer(MemorySegment memory, Lifetime lifetime) {
            super(memory.byteSize(), DeviceHandle.object(KIND, memory.address()), lifetime);
            this.memory = memory;
        }
    }

    private static final class Stream extends BaseStream {
        Stream(Lifetime backend) {
            super(backend);
        }

        @Override
        protected void toDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            part(target, targetOffset, source.byteSize()).copyFrom(source);
        }

        @Override
        protected void toHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            target.copyFrom(part(source, sourceOffset, target.byteSize()));
        }

        @Override
        protected void within(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
            part(target, targetOffset, bytes).copyFrom(part(source, sourceOffset, bytes));
        }

        private static MemorySegment part(DeviceBuffer buffer, long offset, long bytes) {
            return ((Buffer) buffer).memory.asSlice(offset, bytes);
        }
    }
}

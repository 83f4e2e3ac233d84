package acme;

import io.fastsafetensors.spi.*;
import io.fastsafetensors.types.*;
import java.lang.foreign.*;
import java.util.*;

/// A backend written against version 1 of the SPI: memory of the host that it does not show, copied by the caller.
public class Acme implements BackendProvider {
    public String name() {
        return getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }

    public String deviceType() {
        return name();
    }

    public int priority() {
        return 1000;
    }

    DeviceInfo info() {
        return new DeviceInfo(new Device(name(), 0), DeviceKind.ACCELERATOR, "old", 1L << 30, -1, Map.of());
    }

    Set<Capability> capabilities() {
        return Set.of(Capability.POINTERS);
    }

    public Probe probe() {
        return new Probe.Available(List.of(info()), capabilities(), Map.of("acme", "1.0"));
    }

    public Backend open(Device device, BackendOptions options) {
        return new Memory(this);
    }

    static class Memory implements Backend {
        private final Acme acme;

        Memory(Acme acme) {
            this.acme = acme;
        }

        public String name() {
            return acme.name();
        }

        public DeviceInfo info() {
            return acme.info();
        }

        public TransferHints hints() {
            return new TransferHints(256, 1 << 20, 2, 2);
        }

        public MemoryInfo memory() {
            return new MemoryInfo(-1, 1L << 30);
        }

        public DeviceBuffer allocate(long bytes, long alignment) {
            return new Buffer(new Block(bytes, alignment));
        }

        public StagingBuffer allocateStaging(long bytes) {
            return new Staging(new Block(bytes, 4096));
        }

        public CopyStream openCopyStream() {
            return new Copies();
        }

        public Kernels kernels() {
            throw new UnsupportedOperationException();
        }

        public void close() {
        }
    }

    static final class Block {
        final Arena arena = Arena.ofShared();
        final MemorySegment memory;
        boolean open = true;

        Block(long bytes, long alignment) {
            memory = arena.allocate(Math.max(1, bytes), alignment).asSlice(0, bytes);
        }

        synchronized void close() {
            if (open) {
                open = false;
                arena.close();
            }
        }
    }

    record Buffer(Block block) implements DeviceBuffer {
        public long byteSize() {
            return block.memory.byteSize();
        }

        public DeviceHandle handle() {
            return DeviceHandle.pointer(block.memory.address());
        }

        public Optional<MemorySegment> segment() {
            return Optional.empty();
        }

        public void close() {
            block.close();
        }
    }

    record Staging(Block block) implements StagingBuffer {
        public MemorySegment segment() {
            return block.memory;
        }

        public boolean isPageLocked() {
            return false;
        }

        public void close() {
            block.close();
        }
    }

    static class Copies implements CopyStream {
        private static MemorySegment part(DeviceBuffer buffer, long from, long bytes) {
            return ((Buffer) buffer).block().memory.asSlice(from, bytes);
        }

        public void copyToDevice(MemorySegment source, DeviceBuffer target, long at) {
            part(target, at, source.byteSize()).copyFrom(source);
        }

        public void copyToHost(DeviceBuffer source, long at, MemorySegment target) {
            target.copyFrom(part(source, at, target.byteSize()));
        }

        public void copy(DeviceBuffer source, long from, DeviceBuffer target, long to, long bytes) {
            part(target, to, bytes).copyFrom(part(source, from, bytes));
        }

        public Fence fence() {
            return new Fence() {
                public boolean isPassed() {
                    return true;
                }

                public void await() {
                }

                public void close() {
                }
            };
        }

        public void waitFor(Fence fence) {
            fence.await();
        }

        public void synchronize() {
        }

        public void close() {
        }
    }
}

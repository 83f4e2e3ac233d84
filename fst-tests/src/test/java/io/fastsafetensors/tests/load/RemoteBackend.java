package io.fastsafetensors.tests.load;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.reference.DequantizationReference;
import io.fastsafetensors.types.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/// The device of [RemoteProvider].
final class RemoteBackend extends ForwardingBackend {
    static final AtomicInteger REGISTRATIONS = new AtomicInteger();
    static final AtomicInteger DIRECT_FILES = new AtomicInteger();
    /// How often direct storage was asked about a file.
    static final AtomicInteger SUPPORT_CALLS = new AtomicInteger();
    /// What files whose name holds this word say of direct storage.
    static final Map<String, DirectStorage.Mode> SUPPORT = Map.of("compat", DirectStorage.Mode.COMPATIBILITY,
            "direct", DirectStorage.Mode.DIRECT);

    /// Whether it de-quantises itself, and how often it did.
    static final AtomicBoolean MULTIPLIES = new AtomicBoolean();
    static final AtomicInteger PRODUCTS = new AtomicInteger();

    RemoteBackend(Backend far) {
        super("remote", far);
    }

    @Override
    public DeviceInfo info() {
        return new DeviceInfo(RemoteProvider.DEVICE, DeviceKind.ACCELERATOR, "far memory", 1L << 40, -1, Map.of());
    }

    @Override
    public TransferHints hints() {
        return new TransferHints(256, 64 << 10, 4, 2);
    }

    @Override
    public Kernels kernels() {
        return new Products(super.kernels());
    }

    private record Products(Kernels far) implements Kernels {
        @Override
        public boolean supports(DType from, DType to) {
            return far.supports(from, to);
        }

        @Override
        public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
                long elements) {
            far.convert(stream, source, from, target, to, elements);
        }

        @Override
        public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
                DType to) {
            far.gather(stream, source, from, view, target, to);
        }

        @Override
        public boolean dequantizes(DType from, DType to) {
            return MULTIPLIES.get();
        }

        @Override
        public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
                long firstElement, long firstScale, BufferSlice target, DType to) {
            stream.synchronize();
            PRODUCTS.incrementAndGet();
            DequantizationReference.multiply(memory(source), from, memory(scales), grid, firstElement, firstScale,
                    memory(target), to, target.byteSize() * 8 / to.bits());
        }

        private static MemorySegment memory(BufferSlice slice) {
            return slice.buffer().segment().orElseThrow().asSlice(slice.offset(), slice.byteSize());
        }
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        REGISTRATIONS.incrementAndGet();
        return Optional.of(new HostRegistration() {
            @Override
            public long byteSize() {
                return memory.byteSize();
            }

            @Override
            public void close() {
                REGISTRATIONS.decrementAndGet();
            }
        });
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        return Optional.of(new DirectStorage() {
            @Override
            public Support support(StorageFile file) {
                SUPPORT_CALLS.incrementAndGet();
                return SUPPORT.entrySet().stream().filter(e -> file.location().name().contains(e.getKey()))
                        .map(e -> Support.of(e.getValue(), "its name says " + e.getKey())).findFirst()
                        .orElse(Support.of(Mode.NONE, "its name says nothing"));
            }

            @Override
            public DirectFile open(StorageFile file) {
                return new StagedDirectFile(file);
            }
        });
    }

    /// A file read into the far memory through a stream of its own.
    private final class StagedDirectFile implements DirectFile {
        private final StorageFile file;

        StagedDirectFile(StorageFile file) {
            this.file = file;
            DIRECT_FILES.incrementAndGet();
        }

        @Override
        public long alignment() {
            return 4096;
        }

        @Override
        public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
            try (Arena arena = Arena.ofConfined(); CopyStream stream = openCopyStream()) {
                MemorySegment memory = arena.allocate(bytes);
                long got = file.read(fileOffset, memory, 0, bytes);
                stream.copyToDevice(memory.asSlice(0, got), target, targetOffset);
                stream.synchronize();
                return got;
            }
        }

        @Override
        public void close() {
            DIRECT_FILES.decrementAndGet();
        }
    }
}

package io.fastsafetensors.tests.load;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// The device of [RemoteProvider].
final class RemoteBackend implements Backend {
    static final AtomicInteger REGISTRATIONS = new AtomicInteger();
    static final AtomicInteger DIRECT_FILES = new AtomicInteger();
    /// How often direct storage was asked about a file.
    static final AtomicInteger SUPPORT_CALLS = new AtomicInteger();
    /// What files whose name holds this word say of direct storage.
    static final Map<String, DirectStorage.Mode> SUPPORT = Map.of("compat", DirectStorage.Mode.COMPATIBILITY,
            "direct", DirectStorage.Mode.DIRECT);

    private final Backend far;

    RemoteBackend(Backend far) {
        this.far = far;
    }

    @Override
    public String name() {
        return "remote";
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
    public MemoryInfo memory() {
        return far.memory();
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        return far.allocate(bytes, alignment);
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        return far.allocateStaging(bytes);
    }

    @Override
    public CopyStream openCopyStream() {
        return far.openCopyStream();
    }

    @Override
    public Kernels kernels() {
        return far.kernels();
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
            public Support support(Path file) {
                SUPPORT_CALLS.incrementAndGet();
                return SUPPORT.entrySet().stream().filter(e -> file.getFileName().toString().contains(e.getKey()))
                        .map(e -> new Support(e.getValue(), "its name says " + e.getKey())).findFirst()
                        .orElse(new Support(Mode.NONE, "its name says nothing"));
            }

            @Override
            public DirectFile open(Path file) {
                return new ChannelDirectFile(file);
            }
        });
    }

    /// A channel read into the far memory through a stream of its own.
    private final class ChannelDirectFile implements DirectFile {
        private final FileChannel channel;
        private final Path path;

        ChannelDirectFile(Path path) {
            this.path = path;
            try {
                channel = FileChannel.open(path);
            } catch (IOException e) {
                throw new StorageException("cannot open", Where.file(path), e);
            }
            DIRECT_FILES.incrementAndGet();
        }

        @Override
        public long alignment() {
            return 4096;
        }

        @Override
        public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
            try (Arena arena = Arena.ofConfined(); CopyStream stream = far.openCopyStream()) {
                MemorySegment memory = arena.allocate(bytes);
                long got = Math.max(0, channel.read(memory.asByteBuffer(), fileOffset));
                stream.copyToDevice(memory.asSlice(0, got), target, targetOffset);
                stream.synchronize();
                return got;
            } catch (IOException e) {
                throw new StorageException("read failed", Where.file(path).withOffset(fileOffset), e);
            }
        }

        @Override
        public void close() {
            try {
                channel.close();
                DIRECT_FILES.decrementAndGet();
            } catch (IOException e) {
                throw new StorageException("cannot close", Where.file(path), e);
            }
        }
    }

    @Override
    public void close() {
        far.close();
    }
}

package io.fastsafetensors.testkit.host;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/// Device memory that is host memory.
final class HostBackend implements Backend {
    static final long TOTAL = 8L << 30;
    private static final Map<Device, AtomicLong> USED = new ConcurrentHashMap<>();

    private final DeviceInfo info;
    private final AtomicLong used;
    private final Set<Capability> capabilities;
    private final Set<AutoCloseable> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    HostBackend(DeviceInfo info, Set<Capability> capabilities) {
        this.info = info;
        this.used = USED.computeIfAbsent(info.device(), _ -> new AtomicLong());
        this.capabilities = capabilities;
    }

    boolean has(Capability capability) {
        return capabilities.contains(capability);
    }

    /// Remembers what is open, so that it can be closed with the backend.
    <T extends AutoCloseable> T opened(T object) {
        requireOpen();
        open.add(object);
        return object;
    }

    void forget(AutoCloseable object) {
        open.remove(object);
    }

    void release(long bytes) {
        used.addAndGet(-bytes);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the host backend is closed");
        }
    }

    @Override
    public String name() {
        return "host";
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public TransferHints hints() {
        return new TransferHints(64, 1 << 20, 2, 1);
    }

    @Override
    public MemoryInfo memory() {
        return MemoryInfo.of(TOTAL - used.get(), TOTAL);
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        requireOpen();
        if (bytes < 0 || Long.bitCount(alignment) != 1 || alignment < 0) {
            throw new IllegalArgumentException(bytes + " bytes aligned to " + alignment);
        }
        reserve(bytes);
        return opened(new HostBuffer(this, bytes, alignment));
    }

    private void reserve(long bytes) {
        long before = used.getAndUpdate(now -> bytes > TOTAL - now ? now : now + bytes);
        if (bytes > TOTAL - before) {
            throw new OutOfDeviceMemoryException(bytes, TOTAL - before, Where.backend(name()));
        }
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        requireOpen();
        if (bytes < 0) {
            throw new IllegalArgumentException(bytes + " bytes");
        }
        if (bytes > TOTAL) {
            throw new OutOfDeviceMemoryException(bytes, TOTAL - used.get(), Where.backend(name()));
        }
        return opened(new HostStaging(this, bytes));
    }

    @Override
    public CopyStream openCopyStream() {
        return opened(new HostStream(this));
    }

    @Override
    public Kernels kernels() {
        requireOpen();
        if (!has(Capability.KERNELS)) {
            throw new UnsupportedFeatureException("no kernels here", Where.backend(name()));
        }
        return new HostKernels();
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        return has(Capability.DIRECT_STORAGE) ? Optional.of(new HostStorage(this)) : Optional.empty();
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        long bytes = memory.byteSize();
        return has(Capability.HOST_REGISTRATION) ? Optional.of(new HostRegistration() {
            @Override
            public long byteSize() {
                return bytes;
            }

            @Override
            public void close() {
                // Nothing was locked.
            }
        }) : Optional.empty();
    }

    @Override
    public void close() {
        closed = true;
        Optional<IllegalStateException> inUse = Optional.empty();
        for (AutoCloseable object : open) {
            try {
                object.close();
            } catch (Exception e) {
                inUse = Optional.of(new IllegalStateException("a native call uses memory of the device", e));
            }
        }
        inUse.ifPresent(e -> {
            throw e;
        });
    }
}

package io.fastsafetensors.tests.load;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/// The CPU backend with a meter of the device memory that is allocated, now and at most.
final class MeteredProvider implements BackendProvider {
    private static final AtomicLong LIVE = new AtomicLong();
    private static final AtomicLong PEAK = new AtomicLong();

    private static final AtomicLong STAGING = new AtomicLong();
    private static final AtomicLong STAGING_PEAK = new AtomicLong();

    /// Bytes of staging memory that are allocated now.
    static long staging() {
        return STAGING.get();
    }

    /// The most since the last call.
    static long stagingPeak() {
        return STAGING_PEAK.getAndSet(STAGING.get());
    }

    /// What devices say is free; −1 for what the host says.
    static volatile long free = -1;

    private final BackendProvider cpu = new CpuBackendProvider();

    /// Bytes allocated now.
    static long live() {
        return LIVE.get();
    }

    /// The most bytes since the last call of [#peak()].
    static long peakSoFar() {
        return PEAK.get();
    }

    /// The most bytes since the last call.
    static long peak() {
        return PEAK.getAndSet(LIVE.get());
    }

    @Override
    public String name() {
        return cpu.name();
    }

    @Override
    public String deviceType() {
        return cpu.deviceType();
    }

    @Override
    public int priority() {
        return cpu.priority();
    }

    @Override
    public Probe probe() {
        return cpu.probe();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        Backend backend = cpu.open(device, options);
        return (Backend) Proxy.newProxyInstance(MeteredProvider.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> {
                    if (method.getName().equals("fenceBehind")) {
                        return OwnStream.fenceBehind((long) arguments[0]);
                    }
                    if (method.getName().equals("memory") && free >= 0) {
                        return new MemoryInfo(free, free);
                    }
                    try {
                        Object result = method.invoke(backend, arguments);
                        return switch (result) {
                            case DeviceBuffer buffer -> new MeteredBuffer(buffer);
                            case StagingBuffer staging -> new MeteredStaging(staging);
                            case null, default -> result;
                        };
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static final class MeteredBuffer implements DeviceBuffer {
        private final DeviceBuffer buffer;
        private final AtomicBoolean closed = new AtomicBoolean();

        MeteredBuffer(DeviceBuffer buffer) {
            this.buffer = buffer;
            long now = LIVE.addAndGet(buffer.byteSize());
            PEAK.accumulateAndGet(now, Math::max);
        }

        @Override
        public long byteSize() {
            return buffer.byteSize();
        }

        @Override
        public DeviceHandle handle() {
            return buffer.handle();
        }

        @Override
        public Optional<MemorySegment> segment() {
            return buffer.segment();
        }

        @Override
        public void close() {
            long bytes = closed.get() ? 0 : buffer.byteSize();
            buffer.close();
            if (closed.compareAndSet(false, true)) {
                LIVE.addAndGet(-bytes);
            }
        }
    }

    private static final class MeteredStaging implements StagingBuffer {
        private final StagingBuffer staging;
        private final AtomicLong bytes;

        MeteredStaging(StagingBuffer staging) {
            this.staging = staging;
            this.bytes = new AtomicLong(staging.segment().byteSize());
            STAGING_PEAK.accumulateAndGet(STAGING.addAndGet(bytes.get()), Math::max);
        }

        @Override
        public MemorySegment segment() {
            return staging.segment();
        }

        @Override
        public boolean isPageLocked() {
            return staging.isPageLocked();
        }

        @Override
        public void close() {
            staging.close();
            STAGING.addAndGet(-bytes.getAndSet(0));
        }
    }
}

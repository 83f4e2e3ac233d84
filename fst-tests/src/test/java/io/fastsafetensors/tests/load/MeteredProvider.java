package io.fastsafetensors.tests.load;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.base.ForwardingBuffer;
import io.fastsafetensors.spi.base.ForwardingProvider;
import io.fastsafetensors.spi.base.ForwardingStaging;
import io.fastsafetensors.types.Device;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/// The CPU backend with a meter of the device memory that is allocated, now and at most.
final class MeteredProvider extends ForwardingProvider {
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

    MeteredProvider() {
        super(new CpuBackendProvider());
    }

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
    public Backend open(Device device, BackendOptions options) {
        return new MeteredBackend(super.open(device, options));
    }

    private static final class MeteredBackend extends ForwardingBackend {
        MeteredBackend(Backend backend) {
            super(backend);
        }

        @Override
        public MemoryInfo memory() {
            return free >= 0 ? MemoryInfo.of(free, free) : super.memory();
        }

        @Override
        public DeviceBuffer allocate(long bytes, long alignment) {
            return new MeteredBuffer(this, super.allocate(bytes, alignment));
        }

        @Override
        public StagingBuffer allocateStaging(long bytes) {
            return new MeteredStaging(super.allocateStaging(bytes));
        }

        @Override
        public Fence fenceBehind(long nativeStream) {
            return OwnStream.fenceBehind(nativeStream);
        }
    }

    private static final class MeteredBuffer extends ForwardingBuffer {
        private final AtomicBoolean closed = new AtomicBoolean();

        MeteredBuffer(ForwardingBackend owner, DeviceBuffer buffer) {
            super(owner, buffer);
            long now = LIVE.addAndGet(buffer.byteSize());
            PEAK.accumulateAndGet(now, Math::max);
        }

        @Override
        public void close() {
            long bytes = closed.get() ? 0 : byteSize();
            super.close();
            if (closed.compareAndSet(false, true)) {
                LIVE.addAndGet(-bytes);
            }
        }
    }

    private static final class MeteredStaging extends ForwardingStaging {
        private final AtomicLong bytes;

        MeteredStaging(StagingBuffer staging) {
            super(staging);
            this.bytes = new AtomicLong(staging.segment().byteSize());
            STAGING_PEAK.accumulateAndGet(STAGING.addAndGet(bytes.get()), Math::max);
        }

        @Override
        public void close() {
            super.close();
            STAGING.addAndGet(-bytes.getAndSet(0));
        }
    }
}

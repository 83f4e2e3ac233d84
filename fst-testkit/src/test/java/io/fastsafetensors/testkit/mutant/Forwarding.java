package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.testkit.host.BufferWrapper;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// Each interface of the SPI, forwarding everything: a mutant overrides what it breaks.
public final class Forwarding {
    private Forwarding() {
    }

    /// A provider.
    public static class OfProvider implements BackendProvider {
        /// The real one.
        protected final BackendProvider real;

        /// Around the real one.
        public OfProvider(BackendProvider real) {
            this.real = real;
        }

        @Override
        public String name() {
            return real.name();
        }

        @Override
        public int spiVersion() {
            return real.spiVersion();
        }

        @Override
        public String deviceType() {
            return real.deviceType();
        }

        @Override
        public int priority() {
            return real.priority();
        }

        @Override
        public Probe probe() {
            return real.probe();
        }

        @Override
        public Backend open(Device device, BackendOptions options) {
            return real.open(device, options);
        }
    }

    /// A backend.
    public static class OfBackend implements Backend {
        /// The real one.
        protected final Backend real;

        /// Around the real one.
        public OfBackend(Backend real) {
            this.real = real;
        }

        @Override
        public String name() {
            return real.name();
        }

        @Override
        public DeviceInfo info() {
            return real.info();
        }

        @Override
        public TransferHints hints() {
            return real.hints();
        }

        @Override
        public MemoryInfo memory() {
            return real.memory();
        }

        @Override
        public DeviceBuffer allocate(long bytes, long alignment) {
            return real.allocate(bytes, alignment);
        }

        @Override
        public StagingBuffer allocateStaging(long bytes) {
            return real.allocateStaging(bytes);
        }

        @Override
        public CopyStream openCopyStream() {
            return real.openCopyStream();
        }

        @Override
        public Kernels kernels() {
            return real.kernels();
        }

        @Override
        public Optional<DirectStorage> directStorage() {
            return real.directStorage();
        }

        @Override
        public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
            return real.registerHost(memory, readOnly);
        }

        @Override
        public void close() {
            real.close();
        }
    }

    /// A buffer.
    public static class OfBuffer implements BufferWrapper {
        /// The real one.
        protected final DeviceBuffer real;

        /// Around the real one.
        public OfBuffer(DeviceBuffer real) {
            this.real = real;
        }

        @Override
        public DeviceBuffer inner() {
            return real;
        }

        @Override
        public long byteSize() {
            return real.byteSize();
        }

        @Override
        public DeviceHandle handle() {
            return real.handle();
        }

        @Override
        public Optional<MemorySegment> segment() {
            return real.segment();
        }

        @Override
        public void close() {
            real.close();
        }
    }

    /// Staging memory.
    public static class OfStaging implements StagingBuffer {
        /// The real one.
        protected final StagingBuffer real;

        /// Around the real one.
        public OfStaging(StagingBuffer real) {
            this.real = real;
        }

        @Override
        public MemorySegment segment() {
            return real.segment();
        }

        @Override
        public boolean isPageLocked() {
            return real.isPageLocked();
        }

        @Override
        public void close() {
            real.close();
        }
    }

    /// A stream.
    public static class OfStream implements CopyStream {
        /// The real one.
        protected final CopyStream real;

        /// Around the real one.
        public OfStream(CopyStream real) {
            this.real = real;
        }

        @Override
        public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
            real.copyToDevice(source, target, targetOffset);
        }

        @Override
        public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
            real.copyToHost(source, sourceOffset, target);
        }

        @Override
        public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
            real.copy(source, sourceOffset, target, targetOffset, bytes);
        }

        @Override
        public Fence fence() {
            return real.fence();
        }

        @Override
        public void waitFor(Fence fence) {
            real.waitFor(fence);
        }

        @Override
        public void synchronize() {
            real.synchronize();
        }

        @Override
        public void close() {
            real.close();
        }
    }

    /// A fence.
    public static class OfFence implements Fence {
        /// The real one.
        protected final Fence real;

        /// Around the real one.
        public OfFence(Fence real) {
            this.real = real;
        }

        @Override
        public boolean isPassed() {
            return real.isPassed();
        }

        @Override
        public void await() {
            real.await();
        }

        @Override
        public void close() {
            real.close();
        }
    }

    /// Kernels.
    public static class OfKernels implements Kernels {
        /// The real one.
        protected final Kernels real;

        /// Around the real one.
        public OfKernels(Kernels real) {
            this.real = real;
        }

        static CopyStream realStream(CopyStream stream) {
            return stream instanceof OfStream wrapped ? wrapped.real : stream;
        }

        @Override
        public boolean supports(DType from, DType to) {
            return real.supports(from, to);
        }

        @Override
        public void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to,
                long elements) {
            real.convert(realStream(stream), source, from, target, to, elements);
        }

        @Override
        public void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target,
                DType to) {
            real.gather(realStream(stream), source, from, view, target, to);
        }

        @Override
        public boolean dequantizes(DType from, DType to) {
            return real.dequantizes(from, to);
        }

        @Override
        public void dequantize(CopyStream stream, BufferSlice source, DType from, BufferSlice scales, ScaleGrid grid,
                long firstElement, long firstScale, BufferSlice target, DType to) {
            real.dequantize(realStream(stream), source, from, scales, grid, firstElement, firstScale, target, to);
        }
    }

    /// Registered memory.
    public static class OfRegistration implements HostRegistration {
        /// The real one.
        protected final HostRegistration real;

        /// Around the real one.
        public OfRegistration(HostRegistration real) {
            this.real = real;
        }

        @Override
        public long byteSize() {
            return real.byteSize();
        }

        @Override
        public void close() {
            real.close();
        }
    }

    /// Direct storage.
    public static class OfStorage implements DirectStorage {
        /// The real one.
        protected final DirectStorage real;

        /// Around the real one.
        public OfStorage(DirectStorage real) {
            this.real = real;
        }

        @Override
        public Support support(StorageFile file) {
            return real.support(file);
        }

        @Override
        public DirectFile open(StorageFile file) {
            return real.open(file);
        }
    }

    /// A direct file.
    public static class OfFile implements DirectFile {
        /// The real one.
        protected final DirectFile real;

        /// Around the real one.
        public OfFile(DirectFile real) {
            this.real = real;
        }

        @Override
        public long alignment() {
            return real.alignment();
        }

        @Override
        public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
            return real.read(fileOffset, target, targetOffset, bytes);
        }

        @Override
        public void close() {
            real.close();
        }
    }
}

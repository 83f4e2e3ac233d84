package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Supplier;

/// One AMD GPU.
final class HipBackend implements Backend {
    /// What saturates a PCIe 5.0 link from the page cache.
    private static final TransferHints HINTS = TransferHints.defaults().withBlockBytes(6 << 20).withReaders(12);

    private final DeviceInfo info;
    private final HipDevice device;
    private final Lifetime lifetime = Lifetime.of("the " + HipRuntime.BACKEND + " backend", this::release);
    private final HipMemory memory;
    private final EventPool events;
    private final Optional<HipKernels> kernels;

    /// @param code where the kernels' code comes from, empty if from nowhere
    HipBackend(DeviceInfo info, HipDevice device, Optional<KernelCode> code) {
        this.info = info;
        this.device = device;
        this.memory = new HipMemory(device, lifetime);
        this.events = new EventPool(device, lifetime);
        this.kernels = code.map(source -> new HipKernels(device, events, source));
    }

    @Override
    public String name() {
        return HipRuntime.BACKEND;
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public TransferHints hints() {
        return HINTS;
    }

    @Override
    public MemoryInfo memory() {
        return memory.info();
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        return memory.allocate(bytes, alignment);
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        return memory.allocateStaging(bytes);
    }

    @Override
    public CopyStream openCopyStream() {
        return lifetime.using(() -> HipStream.open(device, events, lifetime));
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        return HipFence.behind(device, events, nativeStream);
    }

    @Override
    public Kernels kernels() {
        lifetime.requireOpen();
        return kernels.orElseThrow(() -> new UnsupportedFeatureException(
                "kernels need hiprtc, which this ROCm installation has not: install it (package hiprtc or libhiprtc), or"
                        + " name a code object in the backend property " + HipOptions.CODE_OBJECT,
                Where.backend(HipRuntime.BACKEND)));
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment segment, boolean readOnly) {
        return Optional.of(memory.register(segment, readOnly));
    }

    /// Does some work with the device current on this thread.
    <T> T onDevice(Supplier<T> work) {
        lifetime.requireOpen();
        try (HipDevice.Current _ = device.makeCurrent()) {
            return work.get();
        }
    }

    /// Finishes and closes the streams, then gives back what is still open. What a native call in flight uses stays,
    /// and a later close tries again.
    ///
    /// @throws IllegalStateException if some memory is in use by a native call
    @Override
    public void close() {
        lifetime.close();
    }

    private void release() {
        Releases releases = new Releases();
        kernels.ifPresent(loaded -> releases.run(loaded::close));
        events.close(releases);
        releases.finish();
    }
}

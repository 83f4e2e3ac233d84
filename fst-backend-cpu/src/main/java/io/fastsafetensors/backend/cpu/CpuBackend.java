package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.backend.cpu.kernels.CpuKernels;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.spi.TransferHints;
import java.util.ArrayList;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// The machine's own memory as a device.
final class CpuBackend implements Backend {
    static final String NAME = "cpu";

    private static final long STAGING_ALIGNMENT = 4096;
    private static final TransferHints HINTS = new TransferHints(64, 8 << 20, 0, 1);

    private final HostMemory host;
    private final DeviceInfo info;
    private final SystemMemory memInfo;
    private final Set<OwnedMemory> open = ConcurrentHashMap.newKeySet();
    private final Kernels kernels = new CpuKernels();
    private volatile boolean closed;

    /// @param host closed with this backend
    CpuBackend(HostMemory host, DeviceInfo info, SystemMemory memInfo) {
        this.host = host;
        this.info = info;
        this.memInfo = memInfo;
    }

    @Override
    public String name() {
        return NAME;
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
        requireOpen();
        return memInfo.read();
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        return new CpuBuffer(take(bytes, alignment, "the buffer"));
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        return new CpuStaging(take(bytes, STAGING_ALIGNMENT, "the staging buffer"));
    }

    @Override
    public CopyStream openCopyStream() {
        requireOpen();
        return new CpuCopyStream(this);
    }

    /// Nothing runs in the background here, so there is nothing to wait for.
    @Override
    public Fence fenceBehind(long nativeStream) {
        requireOpen();
        return new PassedFence();
    }

    @Override
    public Kernels kernels() {
        requireOpen();
        return kernels;
    }

    /// Frees what is still open. What a native call in flight uses stays, and a later close tries again.
    ///
    /// @throws IllegalStateException if some memory is in use by a native call
    @Override
    public void close() {
        closed = true;
        Releases releases = new Releases();
        for (OwnedMemory memory : new ArrayList<>(open)) {
            releases.run(memory::close);
        }
        releases.run(host::close);
        releases.finish();
    }

    boolean isClosed() {
        return closed;
    }

    private OwnedMemory take(long bytes, long alignment, String what) {
        if (bytes < 0 || alignment < 1 || Long.bitCount(alignment) != 1) {
            throw new IllegalArgumentException(
                    "cannot allocate " + bytes + " bytes at a multiple of " + alignment + ": no size or power of two");
        }
        requireOpen();
        OwnedMemory memory = new OwnedMemory(host.take(bytes, alignment), what + " of " + bytes + " bytes", open);
        if (closed) {
            // Closed meanwhile, perhaps without having seen this memory.
            memory.close();
            requireOpen();
        }
        return memory;
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the cpu backend is closed");
        }
    }
}

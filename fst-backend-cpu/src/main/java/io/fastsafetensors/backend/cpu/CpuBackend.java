package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.base.BaseBackend;
import io.fastsafetensors.spi.base.BaseBuffer;
import io.fastsafetensors.spi.base.BaseStaging;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.spi.kernel.HostKernels;
import io.fastsafetensors.types.DeviceHandle;

/// The machine's own memory as a device. Staging memory is plain memory too, since no device reads it by DMA.
final class CpuBackend extends BaseBackend {
    static final String NAME = "cpu";

    private static final long STAGING_ALIGNMENT = 4096;
    private static final TransferHints HINTS = TransferHints.defaults().withTensorAlignment(64)
            .withBlockBytes(8 << 20).withSlotsPerReader(1);

    private final HostMemory host;
    private final SystemMemory memInfo;

    /// @param host closed with this backend
    CpuBackend(HostMemory host, DeviceInfo info, SystemMemory memInfo) {
        super(NAME, info);
        this.host = host;
        this.memInfo = memInfo;
    }

    @Override
    public TransferHints hints() {
        return HINTS;
    }

    @Override
    public MemoryInfo memory() {
        lifetime().requireOpen();
        return memInfo.read();
    }

    @Override
    protected DeviceBuffer newBuffer(long bytes, long alignment) {
        HostMemory.Block block = host.take(bytes, alignment);
        return new BaseBuffer(bytes, DeviceHandle.pointer(block.segment().address()), block.segment(),
                opened("the buffer", bytes, block));
    }

    @Override
    protected StagingBuffer newStaging(long bytes) {
        HostMemory.Block block = host.take(bytes, STAGING_ALIGNMENT);
        return new BaseStaging(block.segment(), false, opened("the staging buffer", bytes, block));
    }

    private Lifetime opened(String what, long bytes, HostMemory.Block block) {
        return lifetime().memory(what + " of " + bytes + " bytes", block.arena(), block.release());
    }

    @Override
    protected CopyStream newStream() {
        return new CpuCopyStream(lifetime());
    }

    @Override
    protected Kernels ownKernels() {
        return new HostKernels();
    }

    /// Nothing runs beside the caller here, so there is nothing to wait for.
    @Override
    public Fence fenceBehind(long nativeStream) {
        lifetime().requireOpen();
        return Fence.passed();
    }

    @Override
    protected void release() {
        host.close();
    }
}

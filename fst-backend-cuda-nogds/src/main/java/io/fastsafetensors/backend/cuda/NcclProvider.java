package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.nccl.NcclDevice;
import io.fastsafetensors.gpu.nccl.NcclInstallation;
import io.fastsafetensors.gpu.nccl.NcclTransport;
import io.fastsafetensors.gpu.nccl.ffm.NcclFfm;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.types.Device;

/// The transport `nccl`: NCCL 2.18 or newer between NVIDIA GPUs, each of which one rank drives.
public final class NcclProvider extends NcclTransport {
    private static final String NAME = "nccl";

    /// Costs nothing; [#unavailable()] loads the library and the driver.
    public NcclProvider() {
        super(NAME, new CudaBackendProvider());
    }

    @Override
    protected NcclInstallation installation() {
        return ThisMachine.LIBRARY;
    }

    @Override
    protected NcclDevice open(Device device) {
        return new CudaNcclDevice(
                (ContextBackend) new CudaBackendProvider().open(device, BackendOptions.defaults()));
    }

    private static final class ThisMachine {
        static final NcclInstallation LIBRARY = NcclInstallation.find(NAME, () -> {
            CudaMachine.obstacle(System.getProperty("os.name"), System.getProperty("os.arch")).ifPresent(reason -> {
                throw new UnsupportedFeatureException(reason, Where.nowhere());
            });
            return new NcclFfm("libnccl.so.2", "libnccl.so");
        });
    }
}

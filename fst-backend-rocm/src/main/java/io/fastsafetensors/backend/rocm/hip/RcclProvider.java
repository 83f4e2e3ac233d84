package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.gpu.nccl.NcclDevice;
import io.fastsafetensors.gpu.nccl.NcclInstallation;
import io.fastsafetensors.gpu.nccl.NcclTransport;
import io.fastsafetensors.gpu.nccl.ffm.NcclFfm;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.types.Device;

/// The transport `rccl`: RCCL 2.18 or newer between AMD GPUs, each of which one rank drives.
public final class RcclProvider extends NcclTransport {
    private static final String NAME = "rccl";

    /// Costs nothing; [#unavailable()] loads the libraries.
    public RcclProvider() {
        super(NAME, new HipBackendProvider());
    }

    @Override
    protected NcclInstallation installation() {
        return ThisMachine.LIBRARY;
    }

    @Override
    protected NcclDevice open(Device device) {
        return new HipNcclDevice((HipBackend) new HipBackendProvider().open(device, BackendOptions.defaults()));
    }

    private static final class ThisMachine {
        static final NcclInstallation LIBRARY =
                NcclInstallation.find(NAME, () -> new NcclFfm("librccl.so.1", "librccl.so"));
    }
}

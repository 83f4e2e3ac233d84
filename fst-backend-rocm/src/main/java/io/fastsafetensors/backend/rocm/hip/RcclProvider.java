package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.gpu.nccl.NcclInstallation;
import io.fastsafetensors.gpu.nccl.NcclTransport;
import io.fastsafetensors.gpu.nccl.ffm.NcclFfm;

/// The transport `rccl`: RCCL 2.18 or newer between AMD GPUs, each of which one rank drives.
public final class RcclProvider extends NcclTransport {
    private static final String NAME = "rccl";

    /// Costs nothing; [#unavailable()] loads the libraries.
    public RcclProvider() {
        super(NAME, new HipBackendProvider(), () -> ThisMachine.LIBRARY);
    }

    private static final class ThisMachine {
        static final NcclInstallation LIBRARY =
                NcclInstallation.find(NAME, () -> new NcclFfm("librccl.so.1", "librccl.so"));
    }
}

package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDrvProps;
import io.fastsafetensors.spi.DirectStorage.Mode;
import io.fastsafetensors.spi.DirectStorage.Support;

/// How cuFile moves bytes on this machine: by DMA from drive to device, through nvidia-fs or the kernel's own PCI
/// P2PDMA, or else by copies through the host, which it calls compatibility mode. The library does not say for a file
/// which it takes; this is what its documentation says it takes for a file of such storage.
///
/// @param nvidiaFs whether nvidia-fs is loaded and has its devices
/// @param properties what the library's driver says
record Transport(boolean nvidiaFs, CuFileDrvProps properties) {
    /// `CU_FILE_NVME_P2P_SUPPORTED` of cufile.h, CUDA 12.8 and later.
    private static final int P2PDMA_FLAG = 11;

    private boolean isP2pDma() {
        return (properties.dstatusflags() >>> P2PDMA_FLAG & 1) != 0;
    }

    /// How bytes of a file that cuFile has taken travel.
    Support support(Medium medium) {
        if (medium.kind() == Medium.Kind.NVME && isP2pDma()) {
            return Support.of(Mode.DIRECT, "GPUDirect Storage by PCI P2PDMA, " + medium);
        }
        if (nvidiaFs && medium.kind().isIn(properties.dstatusflags())) {
            return Support.of(Mode.DIRECT, "GPUDirect Storage by nvidia-fs " + properties.major_version() + "."
                    + properties.minor_version() + ", " + medium);
        }
        return Support.of(Mode.COMPATIBILITY, "cuFile's compatibility mode, " + why(medium) + ", " + medium);
    }

    private String why(Medium medium) {
        if (!nvidiaFs && !isP2pDma()) {
            return "since nvidia-fs is not loaded and PCI P2PDMA is not in use";
        }
        return "since " + (nvidiaFs ? "nvidia-fs" : "PCI P2PDMA") + " does not serve this storage ("
                + medium.kind() + ")";
    }
}

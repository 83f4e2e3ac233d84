/// AMD GPUs by HIP, groups of them over RCCL, and anything with OpenCL.
@SuppressWarnings("requires-automatic")
module io.fastsafetensors.backend.rocm {
    requires io.fastsafetensors.api;
    requires io.fastsafetensors.gpu;
    requires jocl;
    requires static org.jspecify;

    provides io.fastsafetensors.group.ProcessGroupProvider with io.fastsafetensors.backend.rocm.hip.RcclProvider;
    provides io.fastsafetensors.spi.BackendProvider with io.fastsafetensors.backend.rocm.hip.HipBackendProvider,
            io.fastsafetensors.backend.rocm.opencl.OpenClBackendProvider;
}

/// NVIDIA GPUs by copies through the host, and groups of them over NCCL. The driver is called through JCuda, an automatic module.
@SuppressWarnings({"module", "requires-automatic"})
module io.fastsafetensors.backend.cuda {
    requires io.fastsafetensors.api;
    requires io.fastsafetensors.gpu;
    requires jcuda;
    requires static org.jspecify;

    // Not an API for programs: what adds to this backend needs its context.
    exports io.fastsafetensors.backend.cuda to io.fastsafetensors.backend.cuda.gds;

    provides io.fastsafetensors.group.ProcessGroupProvider with io.fastsafetensors.backend.cuda.NcclProvider;
    provides io.fastsafetensors.spi.BackendProvider with io.fastsafetensors.backend.cuda.CudaBackendProvider;
}

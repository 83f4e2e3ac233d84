/// NVIDIA GPUs by copies through the host.
module io.fastsafetensors.backend.cuda {
    requires io.fastsafetensors.api;
    requires static org.jspecify;

    provides io.fastsafetensors.spi.BackendProvider with io.fastsafetensors.backend.cuda.CudaBackendProvider;
}

/// NVIDIA GPUs by GPUDirect Storage.
module io.fastsafetensors.backend.cuda.gds {
    requires io.fastsafetensors.api;
    requires io.fastsafetensors.backend.cuda;
    requires static org.jspecify;

    provides io.fastsafetensors.spi.BackendProvider with io.fastsafetensors.backend.cuda.gds.GdsBackendProvider;
}

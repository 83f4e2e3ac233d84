/// Host memory on huge pages and conversion kernels in plain Java.
module io.fastsafetensors.backend.cpu {
    requires io.fastsafetensors.api;
    requires static org.jspecify;

    provides io.fastsafetensors.spi.BackendProvider with io.fastsafetensors.backend.cpu.CpuBackendProvider;
}

/// Host memory on huge pages, conversion kernels in plain Java, and groups of processes over Open MPI.
module io.fastsafetensors.backend.cpu {
    requires io.fastsafetensors.api;
    requires static org.jspecify;

    provides io.fastsafetensors.group.ProcessGroupProvider with io.fastsafetensors.backend.cpu.mpi.MpiProvider;
    provides io.fastsafetensors.spi.BackendProvider with io.fastsafetensors.backend.cpu.CpuBackendProvider;
}

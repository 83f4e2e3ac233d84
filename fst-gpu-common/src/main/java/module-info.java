/// The shared parts of the GPU backends, which no program uses: lifetimes of native objects, the source of the kernels and the
/// plan of their launches, groups of ranks over NCCL or RCCL.
///
/// A third party's backend may use [io.fastsafetensors.gpu.kernel]; the rest is for the backends of fst.
// The backends are not there when this module is compiled.
@SuppressWarnings("module")
module io.fastsafetensors.gpu {
    requires transitive io.fastsafetensors.api;
    requires static org.jspecify;

    exports io.fastsafetensors.gpu to io.fastsafetensors.backend.cuda, io.fastsafetensors.backend.cuda.gds,
            io.fastsafetensors.backend.rocm;
    exports io.fastsafetensors.gpu.ffm to io.fastsafetensors.backend.cuda;
    exports io.fastsafetensors.gpu.kernel;
    exports io.fastsafetensors.gpu.nccl to io.fastsafetensors.backend.cuda, io.fastsafetensors.backend.rocm;
    exports io.fastsafetensors.gpu.nccl.ffm to io.fastsafetensors.backend.cuda, io.fastsafetensors.backend.rocm;
}

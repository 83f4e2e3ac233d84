/// The implementation behind fst-api. Exports nothing: programs reach it through `io.fastsafetensors.api`.
module io.fastsafetensors.core {
    requires io.fastsafetensors.api;
    requires tools.jackson.core;
    requires jdk.jfr;
    // core.write.AtomicFile: direct writes
    requires jdk.unsupported;
    requires static org.jspecify;

    provides io.fastsafetensors.api.LoaderProvider with io.fastsafetensors.core.CoreLoaderProvider;
    provides io.fastsafetensors.group.GroupsProvider with io.fastsafetensors.core.group.CoreGroupsProvider;
}

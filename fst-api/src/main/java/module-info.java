/// The stable surface of fst: what programs compile against and what backends implement.
///
/// Programs use `io.fastsafetensors.api`; backends implement `io.fastsafetensors.spi`; transports between ranks
/// implement `io.fastsafetensors.group`. Nothing here depends on anything but the JDK.
module io.fastsafetensors.api {
    requires static org.jspecify;

    exports io.fastsafetensors.api;
    exports io.fastsafetensors.error;
    exports io.fastsafetensors.group;
    exports io.fastsafetensors.group.transport;
    exports io.fastsafetensors.spi;
    exports io.fastsafetensors.spi.base;
    exports io.fastsafetensors.spi.ffm;
    exports io.fastsafetensors.spi.kernel;
    exports io.fastsafetensors.spi.storage;
    exports io.fastsafetensors.types;

    uses io.fastsafetensors.api.LoaderProvider;
    uses io.fastsafetensors.group.GroupsProvider;
    uses io.fastsafetensors.group.ProcessGroupProvider;
    uses io.fastsafetensors.spi.BackendProvider;
    uses io.fastsafetensors.spi.storage.StorageProvider;
}

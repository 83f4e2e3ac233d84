/// Samples of everything that can be added to fst.
module acme.samples {
    requires io.fastsafetensors.api;

    provides io.fastsafetensors.group.ProcessGroupProvider with acme.board.BoardProvider;
    provides io.fastsafetensors.spi.BackendProvider with acme.async.AsyncProvider, acme.least.LeastProvider,
            acme.metered.MeteredProvider;
    provides io.fastsafetensors.spi.storage.StorageProvider with acme.box.BoxProvider;
}

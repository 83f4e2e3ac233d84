/// Storage over HTTP.
module io.fastsafetensors.storage.http {
    requires io.fastsafetensors.api;
    requires tools.jackson.core;
    requires static org.jspecify;

    provides io.fastsafetensors.spi.storage.StorageProvider with io.fastsafetensors.storage.http.HttpStorageProvider;
}

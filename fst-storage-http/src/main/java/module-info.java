/// Storage over HTTP: plain servers and S3.
module io.fastsafetensors.storage.http {
    requires io.fastsafetensors.api;
    requires java.xml;
    requires tools.jackson.core;
    requires static org.jspecify;

    provides io.fastsafetensors.spi.storage.StorageProvider with
        io.fastsafetensors.storage.http.HttpStorageProvider, io.fastsafetensors.storage.http.S3StorageProvider;
}

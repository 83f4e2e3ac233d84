/// Storage over HTTP: plain servers, S3 and the Hugging Face hub.
module io.fastsafetensors.storage.http {
    requires io.fastsafetensors.api;
    requires java.xml;
    requires jdk.jfr;
    requires tools.jackson.core;
    requires static org.jspecify;

    provides io.fastsafetensors.spi.storage.StorageProvider with
        io.fastsafetensors.storage.http.HttpStorageProvider, io.fastsafetensors.storage.http.HubStorageProvider,
        io.fastsafetensors.storage.http.S3StorageProvider;
}

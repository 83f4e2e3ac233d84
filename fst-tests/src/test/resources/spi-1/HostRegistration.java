package io.fastsafetensors.spi;

public interface HostRegistration extends AutoCloseable {
    long byteSize();

    @Override
    void close();
}

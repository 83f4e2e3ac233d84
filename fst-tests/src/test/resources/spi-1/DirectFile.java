package io.fastsafetensors.spi;

public interface DirectFile extends AutoCloseable {
    long alignment();

    long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes);

    @Override
    void close();
}

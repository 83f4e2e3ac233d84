package io.fastsafetensors.spi;

public interface Fence extends AutoCloseable {
    boolean isPassed();

    void await();

    @Override
    void close();
}

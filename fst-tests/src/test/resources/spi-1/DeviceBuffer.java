package io.fastsafetensors.spi;

import io.fastsafetensors.types.DeviceHandle;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

public interface DeviceBuffer extends AutoCloseable {
    long byteSize();

    DeviceHandle handle();

    Optional<MemorySegment> segment();

    @Override
    void close();
}

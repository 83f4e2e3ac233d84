package io.fastsafetensors.spi;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

public interface Backend extends AutoCloseable {
    String name();

    DeviceInfo info();

    TransferHints hints();

    MemoryInfo memory();

    DeviceBuffer allocate(long bytes, long alignment);

    StagingBuffer allocateStaging(long bytes);

    CopyStream openCopyStream();

    Kernels kernels();

    default Optional<DirectStorage> directStorage() {
        return Optional.empty();
    }

    default Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        return Optional.empty();
    }

    @Override
    void close();
}

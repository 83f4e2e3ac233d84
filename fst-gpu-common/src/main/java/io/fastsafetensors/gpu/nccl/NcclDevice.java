package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import java.util.function.Supplier;

/// One rank's device as the library needs it. Given to one group, which closes it.
public interface NcclDevice extends AutoCloseable {
    /// The device's backend, for streams and memory of the group's own.
    Backend backend();

    /// Does some work with the device current on this thread, and makes current again what was before.
    <T> T current(Supplier<T> work);

    /// The runtime's own stream.
    ///
    /// @param stream one of [#backend()]
    long stream(CopyStream stream);

    /// Closes the backend.
    @Override
    void close();
}

package io.fastsafetensors.gpu;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import java.util.function.Supplier;

/// A GPU backend as native libraries need it that work on its memory and streams, such as NCCL, RCCL and cuFile: they
/// use the device that is current on the thread that calls them. Device pointers are in
/// [io.fastsafetensors.spi.DeviceBuffer#handle()].
public interface NativeBackend extends Backend {
    /// Does some work with the device current on this thread, and makes current again what was before. Any thread;
    /// cheap enough for every call.
    ///
    /// @return what the work returns
    /// @throws io.fastsafetensors.error.BackendException if the driver refuses
    <T> T onDevice(Supplier<T> work);

    /// The driver's own stream.
    ///
    /// @param stream one of this backend
    /// @throws IllegalStateException if the stream is closed
    long nativeStream(CopyStream stream);
}

package io.fastsafetensors.testkit.host;

import io.fastsafetensors.spi.DeviceBuffer;

/// A buffer around another one, whose memory the host backend uses.
public interface BufferWrapper extends DeviceBuffer {
    /// The other one.
    DeviceBuffer inner();
}

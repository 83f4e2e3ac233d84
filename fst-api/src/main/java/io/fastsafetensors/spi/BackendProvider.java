package io.fastsafetensors.spi;

import io.fastsafetensors.types.Device;

/// The entry of a backend, found by [java.util.ServiceLoader].
///
/// Constructing one loads no native code and costs nothing: that is what [#probe()] is for. Implementations are
/// stateless or thread-safe.
public interface BackendProvider {
    /// The backend's stable name, such as `cuda-gds`; what users pass to `backend(...)`.
    String name();

    /// The device type it serves, such as `cuda`; see [Device#type()].
    String deviceType();

    /// Higher is tried first among the available providers of a device type. The shipped ones: 0 cpu, 100 host copy,
    /// 200 direct storage; a third party picks its place among them. Between device types `auto` looks at
    /// [DeviceInfo#kind()] first.
    int priority();

    /// Whether it can work here, and with what. Called from any thread, possibly often: expensive findings are cached.
    /// Never throws and never prints; a missing native library is a reason, not an error.
    Probe probe();

    /// Opens the device.
    ///
    /// @param device one of the devices that [#probe()] listed
    /// @param options switches for this backend; unknown ones are ignored
    /// @return a backend that the caller closes
    /// @throws io.fastsafetensors.error.BackendException if the device cannot be opened, with the reason
    Backend open(Device device, BackendOptions options);
}

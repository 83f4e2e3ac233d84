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

    /// The version of the SPI that the provider was made for. A provider overrides it with the constant
    /// [SpiVersion#CURRENT], which is that of its own compilation, and never with a call. One that does not say it was made
    /// before versions had numbers. A provider that [SpiVersion#refusal(int)] names is not used, and listed with the reason.
    default int spiVersion() {
        return 1;
    }

    /// Higher is tried first among the available providers of a device type; 100 unless it is overridden. The shipped ones:
    /// 0 cpu, 50 OpenCL, 100 copies from page-locked memory, 200 direct storage; a third party picks its place among them.
    /// Which device `auto` and `gpu` mean is decided by [DeviceInfo#kind()] first, see [Device].
    default int priority() {
        return 100;
    }

    /// Whether it can work here, and with what. Called from any thread, possibly often: expensive findings are cached.
    /// Never throws and never prints; a missing native library is a reason, not an error.
    Probe probe();

    /// Opens the device. Neither this nor what it returns prints anything.
    ///
    /// @param device one of the devices that [#probe()] listed
    /// @param options switches for this backend; unknown ones are ignored
    /// @return a backend that the caller closes
    /// @throws io.fastsafetensors.error.BackendException if the device cannot be opened, with the reason
    Backend open(Device device, BackendOptions options);
}

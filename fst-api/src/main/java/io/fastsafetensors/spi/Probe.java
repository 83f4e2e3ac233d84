package io.fastsafetensors.spi;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The result of a backend's look at this machine.
public sealed interface Probe permits Probe.Available, Probe.Unavailable {
    /// It works here.
    ///
    /// @param devices at least one
    /// @param capabilities what it can do on these devices
    /// @param versions names and versions of drivers and libraries, for people
    record Available(List<DeviceInfo> devices, Set<Capability> capabilities, Map<String, String> versions)
            implements Probe {
        /// Copies the collections.
        public Available {
            devices = List.copyOf(devices);
            capabilities = Set.copyOf(capabilities);
            versions = Map.copyOf(versions);
        }
    }

    /// It does not work here.
    ///
    /// @param reason one sentence for people: what is missing and how to get it
    /// @param cause the exception behind it, if any
    record Unavailable(String reason, Optional<Throwable> cause) implements Probe {
        /// Without a cause.
        public Unavailable(String reason) {
            this(reason, Optional.empty());
        }
    }

    /// Whether it works here.
    default boolean isAvailable() {
        return this instanceof Available;
    }
}

package io.fastsafetensors.spi;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

public sealed interface Probe permits Probe.Available, Probe.Unavailable {
    record Available(List<DeviceInfo> devices, Set<Capability> capabilities, Map<String, String> versions)
            implements Probe {
        public Available {
            devices = List.copyOf(devices);
            capabilities = Set.copyOf(capabilities);
            versions = Map.copyOf(versions);
        }
    }

    record Unavailable(String reason, Optional<Throwable> cause) implements Probe {
        public Unavailable(String reason) {
            this(reason, Optional.empty());
        }
    }

    default boolean isAvailable() {
        return this instanceof Available;
    }
}

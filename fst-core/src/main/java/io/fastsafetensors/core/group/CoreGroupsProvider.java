package io.fastsafetensors.core.group;

import io.fastsafetensors.core.select.Providers;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.GroupsProvider;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/// Makes the groups that need no transport, and finds the transports of the others.
///
/// Found by `ServiceLoader`, so that fst-api's `ProcessGroups` needs no core to compile against.
public final class CoreGroupsProvider implements GroupsProvider {
    /// For [java.util.ServiceLoader].
    public CoreGroupsProvider() {
    }

    @Override
    public ProcessGroup single() {
        return new SingleGroup();
    }

    @Override
    public List<ProcessGroup> local(int size, Duration timeout) {
        return LocalGroup.of(size, timeout);
    }

    @Override
    public List<ProcessGroup> local(String transport, List<Device> devices, Duration timeout) {
        return transport.equals(LocalGroup.NAME) ? local(devices.size(), timeout)
                : linked(transport, () -> Providers.group(transport).local(devices, timeout));
    }

    @Override
    public ProcessGroup join(String transport, Bootstrap bootstrap) {
        if (transport.equals(SingleGroup.NAME) && bootstrap.size() == 1) {
            return single();
        }
        if (transport.equals(SingleGroup.NAME) || transport.equals(LocalGroup.NAME)) {
            throw new IllegalArgumentException("transport \"" + transport + "\" for rank " + bootstrap.rank() + " of "
                    + bootstrap.size() + ": a group of one is single, groups of threads are made by "
                    + "ProcessGroups.local");
        }
        return linked(transport, () -> Providers.group(transport).join(bootstrap));
    }

    /// What a transport answers that may have been made for another version of the SPI.
    private static <T> T linked(String transport, Supplier<T> call) {
        try {
            return call.get();
        } catch (LinkageError e) {
            throw new UnsupportedFeatureException("the transport " + transport
                    + " does not go together with this version of fst: " + e, Where.nowhere(), e);
        }
    }

    @Override
    public List<String> transports(String deviceType) {
        return Providers.transports(deviceType);
    }
}

package io.fastsafetensors.core.group;

import io.fastsafetensors.core.select.Providers;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.GroupsProvider;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;

/// Makes the groups that need no transport, and finds the transports of the others.
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
                : Providers.group(transport).local(devices, timeout);
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
        return Providers.group(transport).join(bootstrap);
    }

    @Override
    public List<String> transports(String deviceType) {
        return Providers.transports(deviceType);
    }
}

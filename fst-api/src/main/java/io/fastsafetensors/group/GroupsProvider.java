package io.fastsafetensors.group;

import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;

/// The implementation behind [ProcessGroups], found by [java.util.ServiceLoader]: fst-core. Programs do not call it.
public interface GroupsProvider {
    /// See [ProcessGroups#single()].
    ProcessGroup single();

    /// See [ProcessGroups#local(int, Duration)].
    List<ProcessGroup> local(int size, Duration timeout);

    /// See [ProcessGroups#local(String, List, Duration)].
    List<ProcessGroup> local(String transport, List<Device> devices, Duration timeout);

    /// See [ProcessGroups#join(String, Bootstrap)].
    ProcessGroup join(String transport, Bootstrap bootstrap);

    /// See [ProcessGroups#transports(String)].
    List<String> transports(String deviceType);
}

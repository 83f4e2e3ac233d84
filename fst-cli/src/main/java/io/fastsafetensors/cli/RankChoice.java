package io.fastsafetensors.cli;

import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/// The ranks that this process is: what `--group` says, and a device for each.
final class RankChoice {
    private static final String LOCAL = "local";
    private static final String ENVIRONMENT = "env";
    private static final String GROUP = "--group";
    private static final String GPU = "gpu";

    /// A rank of this process.
    ///
    /// @param device where it loads to
    /// @param joining joins its group, on the rank's own thread; closed by who calls it
    record Rank(Device device, Supplier<ProcessGroup> joining) {
    }

    private RankChoice() {
    }

    /// The ranks; only groups of threads are made already.
    ///
    /// @param group `local:N`, another transport with a number of threads, `env`, or the name of a transport
    /// @param devices `--device`: one, or several separated by commas, which the ranks take in turn; one without a number
    ///        stands for the device of each rank's own number, and `gpu` for a GPU of whatever backend
    /// @param timeout how long a rank waits for the others
    static List<Rank> of(String group, String devices, Duration timeout) {
        String[] each = devices.split(",", -1);
        int colon = group.indexOf(':');
        if (group.equals(LOCAL)) {
            throw new UsageException(GROUP + ": local needs a number of ranks, such as local:2");
        }
        return colon < 0 ? List.of(launched(group, each, timeout))
                : threads(group.substring(0, colon), size(group, colon), each, timeout);
    }

    private static List<Rank> threads(String transport, int size, String[] devices, Duration timeout) {
        List<Device> each = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            each.add(device(devices[r % devices.length], r));
        }
        List<ProcessGroup> groups = ProcessGroups.local(transport, each, timeout);
        List<Rank> ranks = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            ProcessGroup group = groups.get(r);
            ranks.add(new Rank(each.get(r), () -> group));
        }
        return ranks;
    }

    private static Rank launched(String group, String[] devices, Duration timeout) {
        Map<String, String> environment = System.getenv();
        int local = Bootstrap.fromEnvironment(environment, Device.CPU).localRank();
        String named = devices[local % devices.length];
        Device device = isOpen(named) ? Bootstrap.localDevice(environment, type(named)) : device(named, local);
        boolean shared = !device.isCpu() && !"1".equals(environment.get("NCCL_MULTI_RANK_GPU_ENABLE")) && !isOpen(named)
                && devices.length <= Math.max(local,
                        Bootstrap.ranksOfHost(environment) - 1);
        if (shared) {
            throw new UsageException("--device " + String.join(",", devices) + " gives ranks " + local % devices.length
                    + " and " + (local % devices.length + devices.length) + " of this host the same device, " + device
                    + "; give each rank its own: --device " + device.type() + ", or a list with commas");
        }
        String transport = group.equals(ENVIRONMENT) ? transport(device.type()) : group;
        return new Rank(device, () -> ProcessGroups.join(transport,
                Bootstrap.fromEnvironment(environment, device).withTimeout(timeout)));
    }

    private static int size(String group, int colon) {
        try {
            int size = Integer.parseInt(group.substring(colon + 1));
            if (size > 0) {
                return size;
            }
        } catch (NumberFormatException e) {
            throw new UsageException(GROUP + ": \"" + group + "\" does not end in a number of ranks");
        }
        throw new UsageException(GROUP + ": at least one rank");
    }

    private static Device device(String text, int rank) {
        return isOpen(text) ? new Device(type(text), rank) : new Device(type(text), Device.parse(text).index());
    }

    /// Whether a device of each rank's own is meant.
    private static boolean isOpen(String text) {
        Device named = Device.parse(text);
        return text.indexOf(':') < 0 && !named.isCpu() && !named.equals(Device.AUTO);
    }

    /// The type of a device; for `gpu` that of the best backend that has a GPU.
    private static String type(String text) {
        String type = Device.parse(text).type();
        return type.equals(GPU) ? Diagnostics.backends().stream().filter(RankChoice::hasGpu)
                .max(Comparator.comparingInt(Diagnostics.BackendReport::priority))
                .map(Diagnostics.BackendReport::deviceType)
                .orElseThrow(() -> new CommandException("--device " + text + ": no backend has a GPU here;"
                        + " fst doctor says why", null))
                : type;
    }

    private static boolean hasGpu(Diagnostics.BackendReport backend) {
        return backend.probe() instanceof Probe.Available found
                && found.devices().stream().anyMatch(device -> device.kind() == DeviceKind.GPU);
    }

    private static String transport(String deviceType) {
        List<String> transports = ProcessGroups.transports(deviceType);
        if (transports.isEmpty()) {
            throw new UsageException(GROUP + " env: no transport is known to move " + deviceType
                    + " memory; name one, or use local:N");
        }
        return transports.getFirst();
    }
}

package io.fastsafetensors.cli;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.types.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/// The ranks that this process is: what `--group` says, and a device for each.
final class RankChoice {
    private static final String LOCAL = "local";
    private static final String ENVIRONMENT = "env";
    private static final String GROUP = "--group";

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
    ///        stands for the device of each rank's own number
    static List<Rank> of(String group, String devices) {
        String[] each = devices.split(",", -1);
        int colon = group.indexOf(':');
        if (group.equals(LOCAL)) {
            throw new UsageException(GROUP + ": local needs a number of ranks, such as local:2");
        }
        return colon < 0 ? List.of(launched(group, each))
                : threads(group.substring(0, colon), size(group, colon), each);
    }

    private static List<Rank> threads(String transport, int size, String[] devices) {
        List<Device> each = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            each.add(device(devices[r % devices.length], r));
        }
        List<ProcessGroup> groups = ProcessGroups.local(transport, each, Bootstrap.DEFAULT_TIMEOUT);
        List<Rank> ranks = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            ProcessGroup group = groups.get(r);
            ranks.add(new Rank(each.get(r), () -> group));
        }
        return ranks;
    }

    private static Rank launched(String group, String[] devices) {
        Map<String, String> environment = System.getenv();
        int local = Bootstrap.fromEnvironment(environment, Device.CPU).localRank();
        Device device = device(devices[local % devices.length], local);
        String transport = group.equals(ENVIRONMENT) ? transport(device.type()) : group;
        return new Rank(device,
                () -> ProcessGroups.join(transport, Bootstrap.fromEnvironment(environment, device)));
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
        Device named = Device.parse(text);
        boolean open = text.indexOf(':') < 0 && !named.isCpu() && !named.equals(Device.AUTO);
        return open ? new Device(named.type(), rank) : named;
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

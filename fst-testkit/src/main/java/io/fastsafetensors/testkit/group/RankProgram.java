package io.fastsafetensors.testkit.group;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.types.Device;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// One rank as a process: runs scripts by name and says what became of each, one line a script. All ranks of a
/// group are given the same `-Dfst.seed`.
public final class RankProgram {
    private static final String ALL = "all";
    private static final String LOADS = "loads";
    private static final String MEMORY = "memory";

    private final ProcessGroupProvider transport;
    private final BackendProvider backend;
    private final PrintStream out;

    /// @param out where the lines go
    public RankProgram(ProcessGroupProvider transport, BackendProvider backend, PrintStream out) {
        this.transport = transport;
        this.backend = backend;
        this.out = out;
    }

    /// Runs this process's part. The place is read from the launcher's environment; the device is the local rank's.
    ///
    /// @param scripts names of [RankScripts], which share one group, or `all` of those; `loads`, see [ShardedLoads];
    ///        `memory`, which says on which GPUs the processes hold memory; or names of [BrokenScripts], each of which has
    ///        a group of its own
    /// @return whether all succeeded
    public boolean run(Duration timeout, List<String> scripts) {
        Device device = Bootstrap.localDevice(System.getenv(), backend.deviceType());
        Bootstrap bootstrap = Bootstrap.fromEnvironment(System.getenv(), device).withTimeout(timeout);
        boolean well = true;
        try (Backend opened = backend.open(device, BackendOptions.defaults())) {
            try (ProcessGroup group = transport.join(bootstrap)) {
                for (Map.Entry<String, RankScript> script : RankScripts.all().entrySet()) {
                    if (scripts.contains(ALL) || scripts.contains(script.getKey())) {
                        well &= run(script.getKey(), script.getValue(), group, opened);
                    }
                }
                if (scripts.contains(LOADS)) {
                    well &= run(LOADS, _ -> ShardedLoads.run(group, device), group, opened);
                }
                if (scripts.contains(MEMORY)) {
                    out.print(GpuProcesses.describe(group));
                }
            }
            for (Map.Entry<String, RankScript> script : BrokenScripts.all().entrySet()) {
                if (scripts.contains(script.getKey())) {
                    try (ProcessGroup group = transport.join(bootstrap)) {
                        well &= run(script.getKey(), script.getValue(), group, opened);
                    }
                }
            }
        }
        return well;
    }

    /// One script, on a group of the caller's.
    ///
    /// @return whether it succeeded
    public boolean run(String name, RankScript script, ProcessGroup group, Backend opened) {
        Optional<Throwable> failure = Optional.empty();
        RankBench bench = new RankBench(group, opened);
        try {
            script.run(bench);
        } catch (Exception | AssertionError e) {
            failure = Optional.of(e);
            group.close();
        } finally {
            bench.close();
        }
        out.println(name + " rank " + group.rank() + " of " + group.size() + ": "
                + failure.map(e -> "FAILED " + e).orElse("ok"));
        failure.ifPresent(e -> e.printStackTrace(out));
        return failure.isEmpty();
    }
}

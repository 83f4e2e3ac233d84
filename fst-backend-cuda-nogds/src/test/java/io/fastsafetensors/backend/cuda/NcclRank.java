package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.testkit.group.RankProgram;
import java.time.Duration;
import java.util.List;

/// One rank as a process over NCCL: `NcclRank TIMEOUT_SECONDS SCRIPT…`, with torchrun's variables in the environment.
public final class NcclRank {
    private NcclRank() {
    }

    /// Ends with 0 if every script succeeded, else with 1.
    public static void main(String[] arguments) {
        RankProgram program = new RankProgram(new NcclProvider(), new CudaBackendProvider(), System.out);
        boolean well = program.run(Duration.ofSeconds(Long.parseLong(arguments[0])),
                List.of(arguments).subList(1, arguments.length));
        System.exit(well ? 0 : 1);
    }
}

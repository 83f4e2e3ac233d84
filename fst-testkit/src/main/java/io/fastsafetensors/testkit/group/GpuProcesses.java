package io.fastsafetensors.testkit.group;

import io.fastsafetensors.group.ProcessGroup;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/// On which GPUs the processes of a group hold memory, as nvidia-smi says.
final class GpuProcesses {
    private static final String[] COMMAND = {"nvidia-smi", "--query-compute-apps=pid,gpu_bus_id,used_memory",
        "--format=csv,noheader"};

    private GpuProcesses() {
    }

    /// All ranks call it; the first one gets a line a process and GPU, the others nothing.
    static String describe(ProcessGroup group) {
        Map<String, Integer> ranks = new TreeMap<>();
        int rank = 0;
        for (byte[] pid : group.exchange(Long.toString(ProcessHandle.current().pid())
                .getBytes(StandardCharsets.US_ASCII))) {
            ranks.put(new String(pid, StandardCharsets.US_ASCII), rank++);
        }
        String said = group.rank() == 0 ? ask(ranks) : "";
        group.barrier();
        return said;
    }

    private static String ask(Map<String, Integer> ranks) {
        StringBuilder text = new StringBuilder();
        try {
            Process process = new ProcessBuilder(COMMAND).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            for (String line : output.lines().toList()) {
                Integer rank = ranks.get(line.split(",", 2)[0].strip());
                text.append("memory: ").append(rank == null ? "" : "rank " + rank + ": ").append(line).append('\n');
            }
            return text.isEmpty() ? "memory: nvidia-smi lists no process (it may not see those of a container)\n"
                    : text.toString();
        } catch (IOException e) {
            return "memory: nvidia-smi cannot be run: " + e.getMessage() + "\n";
        }
    }
}

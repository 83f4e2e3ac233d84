package io.fastsafetensors.bench;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.cli.Medians;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/// A broadcast between two processes by the transport `mpi`, beside a C program's MPI_Bcast of the same bytes, in turns. Needs mpirun
/// and mpicc.
///
/// Arguments: bytes, rounds. Prints medians of the best of each program's run, and the ratio.
public final class MpiBroadcast {
    private static final int RANKS = 2;
    private static final int BROADCASTS = 60;
    private static final String RANK = "rank";

    private MpiBroadcast() {
    }

    /// Runs it; with `rank BYTES` it is one of the processes.
    public static void main(String[] args) throws IOException {
        if (args[0].equals(RANK)) {
            broadcast(Integer.parseInt(args[1]));
            return;
        }
        Path folder = Files.createTempDirectory("fst-bench-mpi");
        Path program = folder.resolve("bcast");
        try {
            compile(folder.resolve("bcast.c"), program);
            compare(program, args[0], Integer.parseInt(args[1]));
        } finally {
            Files.deleteIfExists(folder.resolve("bcast.c"));
            Files.deleteIfExists(program);
            Files.delete(folder);
        }
    }

    private static void compile(Path source, Path program) throws IOException {
        try (InputStream text = MpiBroadcast.class.getResourceAsStream("bcast.c")) {
            Files.copy(Objects.requireNonNull(text), source);
        }
        run(List.of("mpicc", "-O2", "-o", program.toString(), source.toString()));
    }

    private static void compare(Path program, String bytes, int rounds) {
        List<String> java = List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                MpiBroadcast.class.getName(), RANK, bytes);
        List<Double> c = new ArrayList<>();
        List<Double> fst = new ArrayList<>();
        for (int round = 0; round < rounds; round++) {
            c.add(best(List.of(program.toString(), bytes)));
            fst.add(best(java));
        }
        print("MPI_Bcast in C", c);
        print("the transport mpi", fst);
        System.out.printf(Locale.ROOT, "ratio %.3f%n",
                Medians.median(fst, Double::doubleValue) / Medians.median(c, Double::doubleValue));
    }

    private static void print(String what, List<Double> rates) {
        System.out.printf(Locale.ROOT, "%-20s median %.2f GB/s (%.2f–%.2f, %d runs)%n", what,
                Medians.median(rates, Double::doubleValue),
                rates.stream().mapToDouble(r -> r).min().orElseThrow(),
                rates.stream().mapToDouble(r -> r).max().orElseThrow(), rates.size());
    }

    private static double best(List<String> program) {
        List<String> command = new ArrayList<>(
                List.of("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", Integer.toString(RANKS)));
        command.addAll(program);
        return run(command).lines().filter(line -> line.startsWith("broadcast "))
                .mapToDouble(line -> Double.parseDouble(line.split(" ", -1)[1])).max().orElseThrow();
    }

    private static String run(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) {
                throw new IllegalStateException(String.join(" ", command) + " failed: " + output);
            }
            return output;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(String.join(" ", command), e);
        }
    }

    /// Like the C program: each round from barrier to barrier.
    private static void broadcast(int bytes) {
        Bootstrap bootstrap = Bootstrap.fromEnvironment(System.getenv(), Device.CPU);
        try (Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
                ProcessGroup group = ProcessGroups.join("mpi", bootstrap);
                DeviceBuffer buffer = backend.allocate(bytes, 64); CopyStream stream = backend.openCopyStream()) {
            buffer.segment().orElseThrow().fill((byte) group.rank());
            for (int round = 0; round < BROADCASTS; round++) {
                group.barrier();
                long start = System.nanoTime();
                group.broadcast(BufferSlice.of(buffer), 0, stream);
                group.barrier();
                if (group.rank() == 0) {
                    System.out.println(String.format(Locale.ROOT, "broadcast %.3f GB/s",
                            (double) bytes / (System.nanoTime() - start)));
                }
            }
        }
    }
}

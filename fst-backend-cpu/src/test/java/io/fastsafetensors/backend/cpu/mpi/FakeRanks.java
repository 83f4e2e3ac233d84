package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/// Ranks of one JVM, each with a library of its own in one world.
final class FakeRanks {
    private final List<FakeMpi> libraries;
    private final List<MpiProcess> processes;

    FakeRanks(int size) {
        FakeMpi.World world = new FakeMpi.World(size);
        libraries = IntStream.range(0, size).mapToObj(r -> new FakeMpi(world, r)).toList();
        processes = libraries.stream().map(MpiProcess::new).toList();
    }

    FakeMpi library(int rank) {
        return libraries.get(rank);
    }

    MpiProcess process(int rank) {
        return processes.get(rank);
    }

    ProcessGroup join(int rank, Duration timeout) {
        return new MpiProvider(() -> new MpiProvider.Installation(processes.get(rank), null))
                .join(bootstrap(rank, libraries.size(), timeout));
    }

    static Bootstrap bootstrap(int rank, int size, Duration timeout) {
        return new Bootstrap(rank, size, rank, Device.CPU, timeout, Map.of());
    }

    List<ProcessGroup> join(Duration timeout) throws InterruptedException, ExecutionException {
        return together(libraries.size(), rank -> join(rank, timeout));
    }

    interface Work<T> {
        T run(int rank) throws Exception;
    }

    /// Runs on a thread a rank.
    static <T> List<T> together(int size, Work<T> work) throws InterruptedException, ExecutionException {
        try (ExecutorService threads = Executors.newFixedThreadPool(size)) {
            List<Callable<T>> tasks = new ArrayList<>();
            for (int r = 0; r < size; r++) {
                int rank = r;
                tasks.add(() -> work.run(rank));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> future : threads.invokeAll(tasks)) {
                results.add(future.get());
            }
            return results;
        }
    }
}

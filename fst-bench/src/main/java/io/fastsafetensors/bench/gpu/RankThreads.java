package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroups;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;

/// The ranks of this process, each on a thread of its own, with a group over the transport of their devices. Used by one thread.
final class RankThreads implements AutoCloseable {
    private static final Duration TIMEOUT = Duration.ofMinutes(2);

    private final List<Device> devices;
    private final List<ProcessGroup> groups;
    private final ExecutorService threads;

    /// @param devices of the ranks, all of one type
    RankThreads(List<Device> devices) {
        this.devices = devices;
        this.groups = ProcessGroups.local(transport(devices.getFirst()), devices, TIMEOUT);
        this.threads = Executors.newFixedThreadPool(devices.size(), Thread.ofPlatform().name("rank-", 0).factory());
    }

    private static String transport(Device device) {
        return device.isCpu() ? "local" : ProcessGroups.transports(device.type()).stream().findFirst().orElse("local");
    }

    Device device(int rank) {
        return devices.get(rank);
    }

    ProcessGroup group(int rank) {
        return groups.get(rank);
    }

    /// Does something on every rank at the same time.
    ///
    /// @return what each gave, when all are done
    /// @throws IllegalStateException with the first failure
    <T> List<T> together(IntFunction<T> work) {
        List<Callable<T>> each = new ArrayList<>();
        for (int r = 0; r < devices.size(); r++) {
            int rank = r;
            each.add(() -> work.apply(rank));
        }
        try {
            List<T> results = new ArrayList<>();
            for (Future<T> result : threads.invokeAll(each)) {
                results.add(result.get());
            }
            return results;
        } catch (ExecutionException e) {
            throw new IllegalStateException("a rank failed: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }

    @Override
    public void close() {
        together(rank -> {
            groups.get(rank).close();
            return rank;
        });
        threads.close();
    }
}

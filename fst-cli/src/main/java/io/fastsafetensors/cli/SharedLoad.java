package io.fastsafetensors.cli;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.RankChoice.Rank;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/// A checkpoint loaded by several ranks, those of this process each on a thread of its own.
final class SharedLoad {
    private final Location checkpoint;
    private final int repeat;
    private final Optional<ShardSpec> shards;
    private final Builders builders;

    /// The options of a rank's loader.
    interface Builders {
        LoaderBuilder of(Device device, ProcessGroup group);
    }

    /// One load of one rank.
    private record Round(double seconds, LoadStats stats, String way, long bytes) {
    }

    /// @param shards what a rank has in the end: its part of what this cuts
    /// @param builders the options of each rank's loader
    SharedLoad(Location checkpoint, int repeat, Optional<ShardSpec> shards, Builders builders) {
        this.checkpoint = checkpoint;
        this.repeat = repeat;
        this.shards = shards;
        this.builders = builders;
    }

    /// Runs all ranks of this process and closes their groups.
    ///
    /// @return what every rank of the group cost; empty unless rank 0 is of this process
    /// @throws RuntimeException what failed first on a rank of this process, rather than that others heard of it
    Optional<RankReport> run(List<Rank> ranks) {
        AtomicReferenceArray<@Nullable RankReport> reports = new AtomicReferenceArray<>(1);
        AtomicReferenceArray<@Nullable Throwable> failures = new AtomicReferenceArray<>(ranks.size());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < ranks.size(); i++) {
            Rank rank = ranks.get(i);
            int number = i;
            threads.add(Thread.ofPlatform().name("rank-" + number).start(() -> {
                try (ProcessGroup group = rank.joining().get()) {
                    RankReport report = load(rank.device(), group);
                    if (group.rank() == 0) {
                        reports.set(0, report);
                    }
                } catch (RuntimeException | Error e) {
                    failures.set(number, e);
                }
            }));
        }
        threads.forEach(SharedLoad::join);
        rethrow(failures);
        return Optional.ofNullable(reports.get(0));
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted", e);
        }
    }

    private static void rethrow(AtomicReferenceArray<@Nullable Throwable> failures) {
        Throwable first = null;
        for (int i = 0; i < failures.length(); i++) {
            Throwable failure = failures.get(i);
            if (failure != null && (first == null || first instanceof GroupException)) {
                first = failure;
            }
        }
        switch (first) {
            case null -> {
            }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new AssertionError(first);
        }
    }

    private RankReport load(Device device, ProcessGroup group) {
        List<Round> rounds = new ArrayList<>();
        String backend;
        try (Loader loader = builders.of(device, group).build()) {
            backend = loader.backend().name();
            for (int i = 0; i < repeat; i++) {
                group.barrier();
                rounds.add(round(loader));
            }
        }
        Round last = rounds.getLast();
        RankRow row = new RankRow(device.toString(), backend, last.way, last.bytes,
                Medians.median(rounds, round -> round.seconds),
                Medians.median(rounds, round -> round.stats.secondsFirstTensor()), last.stats.bytesRead(),
                last.stats.bytesReceived(), Medians.maxLong(rounds, round -> round.stats.stagingBytes()),
                Medians.maxLong(rounds, round -> round.stats.deviceBytes()));
        return new RankReport(group.exchange(row.encode()).stream().map(RankRow::decode).toList());
    }

    /// Until this rank has what it is to have, also where owners have to be asked for it.
    private Round round(Loader loader) {
        long start = System.nanoTime();
        try (Weights weights = loader.load(checkpoint)) {
            Optional<LoadPlan.Sharing> sharing = weights.plan().sharing();
            long bytes;
            if (sharing.filter(s -> s.distribution() == Distribution.OWNER).isPresent()) {
                bytes = everything(weights);
            } else {
                weights.awaitAll();
                bytes = weights.stats().bytes();
            }
            return new Round((System.nanoTime() - start) / 1e9, weights.stats(),
                    sharing.map(s -> s.distribution() + " since " + s.why()).orElse("one rank"), bytes);
        }
    }

    private long everything(Weights weights) {
        Map<String, Integer> dims = new LinkedHashMap<>();
        weights.names().forEach(name -> dims.put(name, shards.map(spec -> spec.dim(name)).orElse(-1)));
        return weights.getAll(dims).values().stream().mapToLong(Tensor::byteSize).sum();
    }
}

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.cli.Samples;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/// One way for several ranks to load at the same time, measured again and again. Used by one thread.
final class SharedArm implements AutoCloseable {
    private final RankThreads ranks;
    private final Samples samples;
    private final List<Loader> loaders;
    private final IntFunction<List<Path>> files;
    private final Consumer<Weights> work;
    private long had;
    private long read;
    private long received;

    /// A rank's load.
    ///
    /// @param end when it had everything, as [System#nanoTime()] says
    private record Done(long end, LoadStats stats) {
    }

    /// @param name of the arm
    /// @param builder a rank's options
    /// @param files what a rank loads
    SharedArm(RankThreads ranks, String name, IntFunction<LoaderBuilder> builder, IntFunction<List<Path>> files) {
        this(ranks, name, builder, files, Weights::awaitAll);
    }

    /// @param name of the arm
    /// @param builder a rank's options
    /// @param files what a rank loads
    /// @param work brings everything that a rank is to have
    SharedArm(RankThreads ranks, String name, IntFunction<LoaderBuilder> builder, IntFunction<List<Path>> files,
            Consumer<Weights> work) {
        this.ranks = ranks;
        this.samples = new Samples(name, "GB/s");
        this.files = files;
        this.work = work;
        this.loaders = ranks.together(rank -> builder.apply(rank).build());
    }

    /// Loads by every rank, not measured.
    void warmUp() {
        for (int i = 0; i < LoadRun.WARM_UPS; i++) {
            load();
            CopyLimit.awaitIdleDevice();
        }
    }

    /// One load by every rank, from the common start until the last rank has what it asked for. Another one goes before it:
    /// what is kept for the next load was used or given back while other arms were measured.
    ///
    /// @param bytes what all ranks together load: bytes of the checkpoint, each counted once
    void measure(long bytes) {
        load();
        CopyLimit.awaitIdleDevice();
        long start = System.nanoTime();
        List<Done> done = load();
        long end = done.stream().mapToLong(each -> each.end - start).max().orElseThrow();
        samples.add(bytes / 1e9 / (end / 1e9));
        had = done.stream().mapToLong(each -> each.stats.bytes()).sum();
        read = done.stream().mapToLong(each -> each.stats.bytesRead()).sum();
        received = done.stream().mapToLong(each -> each.stats.bytesReceived()).sum();
        CopyLimit.awaitIdleDevice();
    }

    private List<Done> load() {
        return ranks.together(rank -> {
            try (Weights weights = loaders.get(rank).load(files.apply(rank))) {
                work.accept(weights);
                return new Done(System.nanoTime(), weights.stats());
            }
        });
    }

    /// One load by every rank, and something done with what it gave.
    void check(Consumer<Weights> judge) {
        ranks.together(rank -> {
            try (Weights weights = loaders.get(rank).load(files.apply(rank))) {
                judge.accept(weights);
                return rank;
            }
        });
    }

    Samples samples() {
        return samples;
    }

    /// Bytes in the files of what the ranks had after the last load: whole tensors, or their parts.
    long bytesHad() {
        return had;
    }

    /// Bytes that all ranks read from the files in the last load.
    long bytesRead() {
        return read;
    }

    /// Bytes that ranks got from each other in the last load.
    long bytesReceived() {
        return received;
    }

    @Override
    public void close() {
        ranks.together(rank -> {
            loaders.get(rank).close();
            return rank;
        });
    }
}

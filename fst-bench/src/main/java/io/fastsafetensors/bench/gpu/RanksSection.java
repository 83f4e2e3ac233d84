package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntFunction;

/// Two devices of one process, page cache and slots warm: the whole model on both with each byte read once, beside each loading
/// all of it by itself; and a model of which each has its rows, beside plain loads of half the files each. Rates are
/// of the checkpoint's bytes, each counted once.
final class RanksSection implements Section {
    private static final double STRIPED_BAR = 0.65;
    private static final double LOCAL_BAR = 0.9;

    @Override
    public void run(Bench bench) {
        List<Device> devices = bench.pair().orElseThrow(
                () -> new UnsupportedFeatureException("there is one device only", Where.nowhere()));
        Path path = bench.sharded();
        List<Path> files = Checkpoints.files(path);
        long bytes = files.stream().mapToLong(file -> file.toFile().length()).sum();
        IntFunction<List<Path>> all = _ -> files;
        try (RankThreads ranks = new RankThreads(devices)) {
            IntFunction<LoaderBuilder> alone = rank -> bench.builder().device(ranks.device(rank));
            IntFunction<LoaderBuilder> shared = rank -> alone.apply(rank).group(ranks.group(rank));
            try (Limit limit = new Limit(bench, ranks);
                    SharedArm striped = new SharedArm(ranks, "whole model on two devices, striped", bytes,
                            rank -> shared.apply(rank).distribution(Distribution.STRIPED), all);
                    SharedArm each = new SharedArm(ranks, "whole model on two devices, each by itself", bytes, alone,
                            all);
                    SharedArm rows = new SharedArm(ranks, "rows of the model on two devices", bytes,
                            rank -> shared.apply(rank).shards(ShardSpec.of(Map.of("*", 0))), all);
                    SharedArm halves = new SharedArm(ranks, "half of the files on each of two devices", bytes, alone,
                            rank -> half(files, rank))) {
                List<SharedArm> arms = List.of(striped, each, rows, halves);
                arms.forEach(SharedArm::warmUp);
                for (int i = 0; i < bench.settings().rounds(); i++) {
                    limit.measure();
                    arms.forEach(SharedArm::measure);
                }
                report(bench.report(), limit, bytes, striped, each, rows, halves);
                String difference = difference(striped);
                bench.report().row("two devices, striped: every tensor on both is as in the files", "all",
                        difference.isEmpty() ? "all" : "not " + difference, difference.isEmpty());
            }
        }
    }

    private static List<Path> half(List<Path> files, int rank) {
        int middle = files.size() / 2;
        return rank == 0 ? files.subList(0, middle) : files.subList(middle, files.size());
    }

    private static void report(Report report, Limit limit, long bytes, SharedArm striped, SharedArm each,
            SharedArm rows, SharedArm halves) {
        report.arm(limit.samples);
        for (SharedArm arm : List.of(striped, each, rows, halves)) {
            report.arm(arm.samples());
        }
        report.atLeast("two devices, striped: of pinned copies to both", STRIPED_BAR,
                striped.samples().median() / limit.samples.median(), "");
        report.fact("two devices, striped: of each by itself",
                Report.number(striped.samples().median() / each.samples().median()));
        report.atMost("two devices, striped: bytes read of the files' bytes", 1.01,
                (double) striped.bytesRead() / bytes, "");
        report.fact("two devices, striped: bytes from the other device of the files' bytes",
                Report.number((double) striped.bytesReceived() / bytes));
        report.atLeast("two devices, rows of each tensor: of plain loads of half the files", LOCAL_BAR,
                rows.samples().median() / halves.samples().median(), "");
        report.atMost("two devices, rows of each tensor: bytes read of the files' bytes", 1.01,
                (double) rows.bytesRead() / bytes, "");
    }

    /// Names a tensor that is not as in its file; empty if all are.
    private static String difference(SharedArm arm) {
        Queue<String> different = new ConcurrentLinkedQueue<>();
        arm.check(weights -> weights.names().stream().filter(name -> !isAsInFile(weights, name))
                .forEach(different::add));
        return String.join(" ", different);
    }

    private static boolean isAsInFile(Weights weights, String name) {
        TensorInfo info = weights.info(name);
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(info.file().path().orElseThrow())) {
            MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, info.fileOffset(), info.byteSize(), arena);
            MemorySegment copy = arena.allocate(info.byteSize());
            weights.get(name).copyTo(copy);
            return copy.mismatch(file) < 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Copies from page-locked memory to both devices at once.
    private static final class Limit implements AutoCloseable {
        private final Samples samples = new Samples("pinned copies to two devices at once", "GB/s");
        private final RankThreads ranks;
        private final List<Backend> backends;
        private final List<CopyLimit> copies;

        Limit(Bench bench, RankThreads ranks) {
            this.ranks = ranks;
            this.backends = ranks.together(rank -> bench.open(ranks.device(rank)));
            this.copies = ranks.together(rank -> new CopyLimit(backends.get(rank), bench.settings().bytes() / 2));
        }

        void measure() {
            samples.add(ranks.together(rank -> copies.get(rank).measure()).stream().mapToDouble(rate -> rate).sum());
        }

        @Override
        public void close() {
            ranks.together(rank -> {
                copies.get(rank).close();
                backends.get(rank).close();
                return rank;
            });
        }
    }
}

package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.CopyLimit;
import io.fastsafetensors.cli.Samples;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntFunction;

/// Two devices, page cache and slots warm: the whole model on both with each byte read once, beside each loading all of it by
/// itself; each rank's shards of it, beside plain loads of half the files each, by one process and by two. Rates are
/// of the checkpoint's bytes, each counted once.
final class RanksSection implements Section {
    private static final double STRIPED_BAR = 0.65;
    private static final double OWNER_BAR = 0.55;
    private static final double LOCAL_BAR = 0.9;
    private static final double PROCESS_BAR = 0.95;
    private static final double READ_BAR = 1.05;

    @Override
    public void run(Bench bench) {
        List<Device> devices = bench.pair().orElseThrow(
                () -> new UnsupportedFeatureException("there is one device only", Where.nowhere()));
        Path path = bench.sharded();
        List<Path> files = Checkpoints.files(path);
        long bytes = files.stream().mapToLong(file -> file.toFile().length()).sum();
        IntFunction<List<Path>> all = _ -> files;
        IntFunction<List<Path>> half = rank -> half(files, rank);
        try (RankThreads ranks = new RankThreads(devices)) {
            IntFunction<LoaderBuilder> alone = rank -> bench.builder().device(ranks.device(rank));
            IntFunction<LoaderBuilder> shared = rank -> alone.apply(rank).group(ranks.group(rank));
            try (Limit limit = new Limit(bench, ranks);
                    SharedArm striped = new SharedArm(ranks, "whole model on two devices, striped",
                            rank -> shared.apply(rank).distribution(Distribution.STRIPED), all);
                    SharedArm owner = new SharedArm(ranks, "whole model on two devices, owner",
                            rank -> shared.apply(rank).distribution(Distribution.OWNER), all,
                            RanksSection::getAll);
                    SharedArm each = new SharedArm(ranks, "whole model on two devices, each by itself", alone, all);
                    SharedArm shards = new SharedArm(ranks, "Llama shards on two devices",
                            rank -> shared.apply(rank).shards(ShardSpec.of("llama")), all);
                    SharedArm halves = new SharedArm(ranks, "half of the files on each of two devices, one process",
                            alone, half);
                    LoadProcesses processes = new LoadProcesses(
                            "half of the files on each of two devices, two processes",
                            devices.stream().map(Device::toString).toList(), bench.settings().backend(), 0, 0, half)) {
                List<SharedArm> arms = List.of(striped, owner, each, shards, halves);
                arms.forEach(SharedArm::warmUp);
                processes.warmUp();
                for (int i = 0; i < bench.settings().rounds(); i++) {
                    limit.measure();
                    arms.forEach(arm -> arm.measure(bytes));
                    processes.measure(bytes);
                }
                bench.report().arm(limit.samples);
                arms.forEach(arm -> bench.report().arm(arm.samples()));
                bench.report().arm(processes.samples());
                report(bench.report(), limit.samples.median(), bytes, arms);
                bench.report().atLeast("two devices, half of the files on each: of two processes", PROCESS_BAR,
                        halves.samples().median() / processes.samples().median(), "");
                String difference = difference(striped) + difference(owner);
                bench.report().row("two devices, striped and owner: every tensor on both is as in the files", "all",
                        difference.isEmpty() ? "all" : "not " + difference, difference.isEmpty());
            }
        }
    }

    private static void getAll(Weights weights) {
        Map<String, Integer> whole = new LinkedHashMap<>();
        weights.names().forEach(name -> whole.put(name, -1));
        weights.getAll(whole);
    }

    private static void report(Report report, double limit, long bytes, List<SharedArm> arms) {
        SharedArm striped = arms.get(0);
        SharedArm owner = arms.get(1);
        SharedArm each = arms.get(2);
        SharedArm shards = arms.get(3);
        SharedArm halves = arms.get(4);
        report.atLeast("two devices, striped: of pinned copies to both", STRIPED_BAR,
                striped.samples().median() / limit, "");
        report.fact("two devices, striped: of each by itself",
                Report.number(striped.samples().median() / each.samples().median()));
        report.fact("two devices, striped: of plain loads of half the files",
                Report.number(striped.samples().median() / halves.samples().median()));
        report.atMost("two devices, striped: bytes read of the files' bytes", 1.01,
                (double) striped.bytesRead() / bytes, "");
        report.fact("two devices, striped: bytes from the other device of the files' bytes",
                Report.number((double) striped.bytesReceived() / bytes));
        report.atLeast("two devices, owner: of pinned copies to both", OWNER_BAR, owner.samples().median() / limit,
                "");
        double had = (double) shards.bytesHad() / bytes;
        report.atLeast("two devices, Llama shards: of plain loads of half the files", LOCAL_BAR,
                had * shards.samples().median() / halves.samples().median(), "");
        report.atMost("two devices, Llama shards: bytes read of those wanted", READ_BAR,
                (double) shards.bytesRead() / shards.bytesHad(), "");
        report.fact("two devices, half of the files on each: of pinned copies to both",
                Report.number(halves.samples().median() / limit));
    }

    private static List<Path> half(List<Path> files, int rank) {
        int middle = files.size() / 2;
        return rank == 0 ? files.subList(0, middle) : files.subList(middle, files.size());
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

package io.fastsafetensors.cli;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.ffm.PageCache;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// `fst load`: loads everything and reports where the time went.
final class LoadCommand implements Command {
    @Override
    public void describe(Syntax syntax) {
        syntax.paths(1, Integer.MAX_VALUE, "checkpoints, loaded one after the other");
        syntax.value("--device", "DEVICE", "cpu (default), cuda:0, rocm:0, opencl:0, gpu:0 or auto");
        syntax.value("--backend", "NAME", "the backend, such as cuda-gds (default: the best one available)");
        syntax.value("--dtype", "DTYPE", "convert floating-point tensors, such as BF16");
        syntax.value("--budget", "SIZE", "the most device memory that a load may hold, such as 8GiB");
        syntax.values("--select", "GLOB", "load only tensors whose names match");
        syntax.value("--repeat", "N", "load N times and report medians (default 1)");
        syntax.flag("--drop-cache", "evict the files from the page cache before each load");
        syntax.value("--readers", "N", "threads that read (default 0: chosen by backend and cores)");
        syntax.value("--block", "SIZE", "bytes of one read (default 0: the backend's choice)");
        syntax.value("--direct", "WHEN", "read past the page cache: auto (default), always or never");
        syntax.flag("--strict", "fail if a file cannot take the backend's fastest way");
        syntax.value("--group", "RANKS",
                "load by several ranks: local:N or nccl:N (threads of this process), mpi or env (this process"
                        + " is one, as its launcher's environment says)");
        syntax.value("--distribution", "WAY", "how ranks share the reading: auto (default), owner, striped or local");
        syntax.value("--shard-spec", "SPEC",
                "what ranks cut: a JSON file of name patterns and dimensions, or llama, gpt2,"
                        + " falcon, bloom, mixtral");
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        int repeat = line.read("--repeat", "1", Integer::parseInt);
        if (repeat < 1) {
            throw new UsageException("--repeat: at least 1");
        }
        String group = line.value("--group");
        if (group != null) {
            return share(group, repeat, line, screen);
        }
        if (line.isSet("--distribution") || line.isSet("--shard-spec")) {
            throw new UsageException("--distribution and --shard-spec are for several ranks: add --group");
        }
        LoaderBuilder builder = builder(line);
        line.read("--device", "cpu", text -> builder.device(Device.parse(text)));
        Table.Format format = line.format();
        List<String> paths = line.paths();
        boolean many = paths.size() > 1;
        Table table = many ? new Table("path", "metric", "value").grouped() : new Table("metric", "value");
        List<String> headlines = new ArrayList<>();
        for (String argument : paths) {
            LoadReport report = measure(builder, Line.path(argument), repeat, line.isSet("--drop-cache"),
                    screen);
            headlines.add((many ? Json.printable(argument) + ": " : "") + report.headline());
            report.forEach((metric, value) -> {
                if (many) {
                    table.add(Cell.text(argument), Cell.text(metric), value);
                } else {
                    table.add(Cell.text(metric), value);
                }
            });
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT) {
            headlines.forEach(headline -> screen.out().println(screen.styled(Screen.Style.STRONG, headline)));
        }
        return 0;
    }

    private static LoaderBuilder builder(Line line) {
        LoaderBuilder builder = Loader.builder();
        line.read("--readers", "0", text -> builder.readers(Integer.parseInt(text)));
        line.read("--block", "0",
                text -> builder.blockBytes((int) Math.min(Integer.MAX_VALUE, Sizes.parse("--block", text))));
        builder.directIo(line.oneOf("--direct", DirectIo.AUTO, DirectIo.values()));
        builder.strictBackend(line.isSet("--strict"));
        String backend = line.value("--backend");
        if (backend != null) {
            builder.backend(backend);
        }
        line.dtype("--dtype").ifPresent(builder::dtype);
        if (line.isSet("--budget")) {
            line.read("--budget", "", text -> builder.deviceBudget(Sizes.parse("--budget", text)));
        }
        List<String> globs = line.values("--select");
        if (!globs.isEmpty()) {
            line.read("--select", "", first -> builder.select(Selection.glob(globs.toArray(new String[0]))));
        }
        return builder;
    }

    private static int share(String group, int repeat, Line line, Screen screen) {
        if (line.paths().size() > 1) {
            throw new UsageException("--group: one checkpoint at a time");
        }
        if (line.isSet("--drop-cache")) {
            throw new UsageException("--drop-cache: not with --group");
        }
        Optional<ShardSpec> shards = Optional.ofNullable(line.value("--shard-spec")).map(LoadCommand::shards);
        Distribution way = line.oneOf("--distribution", Distribution.AUTO, Distribution.values());
        Table.Format format = line.format();
        SharedLoad load = new SharedLoad(Line.path(line.paths().getFirst()), repeat, shards, (device, ranks) -> {
            LoaderBuilder builder = builder(line).device(device).group(ranks).distribution(way);
            shards.ifPresent(builder::shards);
            return builder;
        });
        load.run(line.read("--device", "cpu", devices -> RankChoice.of(group, devices))).ifPresent(report -> {
            Table table = new Table("rank", "metric", "value").grouped();
            report.addTo(table);
            table.print(format, screen);
            if (format == Table.Format.TEXT) {
                screen.out().println(screen.styled(Screen.Style.STRONG, report.headline()));
            }
        });
        return 0;
    }

    /// A file if there is one of that name, else a shipped specification.
    private static ShardSpec shards(String text) {
        Path file = Line.path(text);
        return Files.exists(file) || text.endsWith(".json") ? ShardSpec.read(file) : ShardSpec.of(text);
    }

    private static LoadReport measure(LoaderBuilder builder, Path path, int repeat, boolean dropCache, Screen screen) {
        List<LoadReport.Round> rounds = new ArrayList<>();
        try (ProgressBar bar = new ProgressBar("loading", screen); Loader loader = builder.progress(bar).build()) {
            BackendChoice choice = loader.backend();
            for (int i = 0; i < repeat; i++) {
                if (dropCache) {
                    dropCache(path);
                }
                long cached = cachedBytes(path);
                if (dropCache) {
                    // Asking what is cached has read the headers.
                    dropCache(path);
                }
                long start = System.nanoTime();
                try (Weights weights = loader.load(path)) {
                    weights.awaitAll();
                    rounds.add(new LoadReport.Round((System.nanoTime() - start) / 1e9, cached, weights.stats()));
                }
            }
            return new LoadReport(loader.device(), choice, rounds);
        }
    }

    private static void dropCache(Path path) {
        List<Path> files = Safetensors.open(path).files();
        PageCache cache = PageCache.system();
        try {
            for (Path file : files) {
                cache.drop(file);
            }
        } catch (IOException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
    }

    /// How much of a checkpoint is in the page cache, −1 if unknown.
    static long cachedBytes(Path path) {
        long sum = 0;
        for (Diagnostics.StorageReport file : Diagnostics.storage(path)) {
            if (file.cachedBytes() < 0) {
                return -1;
            }
            sum += file.cachedBytes();
        }
        return sum;
    }
}

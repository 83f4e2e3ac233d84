package io.fastsafetensors.cli;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.cli.ffm.PageCache;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/// `fst load`: loads everything and reports where the time went.
final class LoadCommand implements Command {
    @Override
    public void describe(CommandSpec spec) {
        Options.paths(spec, "1..*", "checkpoints, loaded one after the other");
        Options.value(spec, "--device", "DEVICE", "cpu (default), cuda:0, rocm:0, opencl:0, gpu:0 or auto");
        Options.value(spec, "--backend", "NAME", "the backend, such as cuda-gds (default: the best one available)");
        Options.value(spec, "--dtype", "DTYPE", "convert floating-point tensors, such as BF16");
        Options.value(spec, "--budget", "SIZE", "the most device memory that a load may hold, such as 8GiB");
        Options.values(spec, "--select", "GLOB", "load only tensors whose names match; may be repeated");
        Options.value(spec, "--repeat", "N", "load N times and report medians (default 1)");
        Options.flag(spec, "--drop-cache", "evict the files from the page cache before each load");
        Options.value(spec, "--readers", "N", "threads that read (default 0: chosen by backend and cores)");
        Options.value(spec, "--block", "SIZE", "bytes of one read (default 0: the backend's choice)");
        Options.value(spec, "--direct", "WHEN", "read past the page cache: auto (default), always or never");
        Options.flag(spec, "--strict", "fail if a file cannot take the backend's fastest way");
        Options.format(spec);
    }

    @Override
    public int run(ParseResult line, Screen screen) {
        LoaderBuilder builder = builder(line);
        int repeat = Options.read(line, "--repeat", "1", Integer::parseInt);
        if (repeat < 1) {
            throw new UsageException("--repeat: at least 1");
        }
        Table.Format format = Options.format(line);
        List<String> paths = Options.paths(line);
        boolean many = paths.size() > 1;
        Table table = many ? new Table("path", "metric", "value").grouped() : new Table("metric", "value");
        List<String> headlines = new ArrayList<>();
        for (String argument : paths) {
            LoadReport report = measure(builder, Options.path(argument), repeat, Options.isSet(line, "--drop-cache"),
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

    private static LoaderBuilder builder(ParseResult line) {
        LoaderBuilder builder = Loader.builder();
        Options.read(line, "--device", "cpu", text -> builder.device(Device.parse(text)));
        Options.read(line, "--readers", "0", text -> builder.readers(Integer.parseInt(text)));
        Options.read(line, "--block", "0",
                text -> builder.blockBytes((int) Math.min(Integer.MAX_VALUE, Sizes.parse("--block", text))));
        builder.directIo(Options.oneOf(line, "--direct", DirectIo.AUTO, DirectIo.values()));
        builder.strictBackend(Options.isSet(line, "--strict"));
        String backend = Options.value(line, "--backend");
        if (backend != null) {
            builder.backend(backend);
        }
        if (Options.isSet(line, "--dtype")) {
            Options.read(line, "--dtype", "", text -> builder.dtype(DType.byName(text.toUpperCase(Locale.ROOT))
                    .orElseThrow(
                            () -> new UsageException("--dtype: no dtype \"" + text + "\"; such as BF16 or F8_E4M3"))));
        }
        if (Options.isSet(line, "--budget")) {
            Options.read(line, "--budget", "", text -> builder.deviceBudget(Sizes.parse("--budget", text)));
        }
        List<String> globs = Options.values(line, "--select");
        if (!globs.isEmpty()) {
            Options.read(line, "--select", "", text -> builder.select(Selection.glob(globs.toArray(new String[0]))));
        }
        return builder;
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
        Checkpoint checkpoint = Safetensors.open(path);
        PageCache cache = PageCache.system();
        try {
            for (Path file : checkpoint.files()) {
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

package io.fastsafetensors.cli;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Diagnostics;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// `fst load`: loads everything and reports where the time went.
final class LoadCommand implements Command {
    @Override
    public void describe(Syntax syntax) {
        syntax.paths(1, Integer.MAX_VALUE, "files, directories or index files, loaded one after the other");
        LoadFlags.describe(syntax);
        syntax.value("--repeat", "N", "load N times and report medians (default 1)");
        syntax.flag("--timeline", "say when in the life of the process each step of the first load was done");
        syntax.flag("--drop-cache", "evict the files from the page cache before each load");
        GroupFlags.describe(syntax);
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        int repeat = line.read("--repeat", "1", Integer::parseInt);
        if (repeat < 1) {
            throw new UsageException("--repeat: at least 1");
        }
        if (GroupFlags.share(line)) {
            GroupFlags.load(repeat, line, screen);
            return 0;
        }
        Timeline timeline = new Timeline();
        LoaderBuilder builder = LoadFlags.builder(line);
        Table.Format format = line.format();
        List<String> paths = line.paths();
        boolean many = paths.size() > 1;
        Table table = new Table("metric", "value").wrapLast();
        List<String> headlines = new ArrayList<>();
        for (String argument : paths) {
            LoadReport report = measure(builder, Line.location(argument), repeat, line.isSet("--drop-cache"),
                    timeline, screen);
            headlines.add((many ? SafeText.printable(RawArguments.shown(argument)) + ": " : "") + report.headline());
            if (many) {
                table.add(Cell.text("path"), Cell.text(RawArguments.shown(argument)));
            }
            report.forEach((metric, value) -> table.add(Cell.text(metric), value));
        }
        if (line.isSet("--timeline")) {
            timeline.forEach((step, at) -> table.add(Cell.text(step), at));
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT) {
            headlines.forEach(headline -> screen.out().println(screen.styled(Screen.Style.STRONG, headline)));
        }
        return 0;
    }

    private static LoadReport measure(LoaderBuilder builder, Location path, int repeat, boolean dropCache,
            Timeline timeline, Screen screen) {
        List<LoadReport.Round> rounds = new ArrayList<>();
        try (ProgressBar bar = new ProgressBar("loading", screen); Loader loader = builder.progress(bar).build()) {
            boolean inBatches = loader.options().deviceBudget() < Long.MAX_VALUE
                    && loader.plan(path).deviceBytes() > loader.options().deviceBudget();
            BackendChoice choice = loader.backend();
            timeline.opened();
            for (int i = 0; i < repeat; i++) {
                if (dropCache) {
                    Diagnostics.evict(path, loader.options().open());
                }
                long cached = cachedBytes(path, loader.options().open());
                if (dropCache) {
                    // Asking what is cached has read the headers.
                    Diagnostics.evict(path, loader.options().open());
                }
                bar.restart();
                timeline.load();
                Loaded loaded = inBatches ? stream(loader, path) : load(loader, path);
                timeline.loaded(loaded.stats(), loaded.seconds());
                rounds.add(new LoadReport.Round(loaded.seconds(), cached, loaded.stats()));
                if (i == 0) {
                    OpenFlags.tell("load", loaded.checkpoint(), screen);
                    Conversions.warn("load", loaded.checkpoint(), loader.options(), screen);
                    requireSelected(loader, loaded.checkpoint(), path);
                }
            }
            Conversions.tell("load", rounds.getLast().stats().overflows(), screen);
            int checked = loader.options().checkDigests() ? TensorDigests.count(path, loader.options()) : 0;
            return new LoadReport(loader.device(), choice, inBatches, checked, rounds);
        }
    }

    /// A pattern that matches nothing is a mistyped one.
    private static void requireSelected(Loader loader, Checkpoint checkpoint, Location path) {
        if (!checkpoint.tensors().isEmpty()
                && checkpoint.tensors().stream().noneMatch(loader.options().selection()::test)) {
            throw new CommandException("the selection matches none of the " + checkpoint.tensors().size()
                    + " tensors of " + path + "; fst ls lists their names", null);
        }
    }

    /// The result of one load.
    ///
    /// @param seconds from the call to the last byte; to give the memory back afterwards is no part of it
    private record Loaded(Checkpoint checkpoint, LoadStats stats, double seconds) {
    }

    private static Loaded load(Loader loader, Location path) {
        long start = System.nanoTime();
        try (Weights weights = loader.load(path)) {
            weights.awaitAll();
            double seconds = secondsSince(start);
            return new Loaded(weights.checkpoint(), weights.stats(), seconds);
        }
    }

    private static Loaded stream(Loader loader, Location path) {
        long start = System.nanoTime();
        try (TensorStream stream = loader.stream(path)) {
            for (Tensor tensor : stream) {
                tensor.close();
            }
            double seconds = secondsSince(start);
            return new Loaded(stream.checkpoint(), stream.stats(), seconds);
        }
    }

    private static double secondsSince(long start) {
        return (System.nanoTime() - start) / 1e9;
    }

    /// How much of a checkpoint is in the page cache, −1 if unknown.
    static long cachedBytes(Location path, OpenOptions options) {
        long sum = 0;
        for (Diagnostics.StorageReport file : Diagnostics.storage(path, options)) {
            if (file.cachedBytes() < 0) {
                return -1;
            }
            sum += file.cachedBytes();
        }
        return sum;
    }
}

package io.fastsafetensors.cli;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.group.Bootstrap;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/// The options of `fst load` that are about several ranks.
final class GroupFlags {
    private static final String GROUP = "--group";
    private static final String TIMEOUT = "--timeout";
    private static final String WAY = "--distribution";
    private static final String SHARDS = "--shard-spec";

    private GroupFlags() {
    }

    static void describe(Syntax syntax) {
        syntax.value(GROUP, "RANKS", "load with several ranks: local:N or nccl:N (threads of this process), mpi or env"
                + " (this process is one of the ranks that a launcher started)");
        syntax.value(TIMEOUT, "SECONDS", "how long a rank waits for the others (default: 600)");
        syntax.choice(WAY, "HOW", "how ranks share the reading: auto (default), owner, striped or local",
                Distribution.values());
        syntax.value(SHARDS, "SPEC",
                "how tensors are sharded: a JSON file of name patterns and dimensions, or llama, gpt2,"
                        + " falcon, bloom, mixtral");
    }

    /// Whether several ranks are asked for.
    static boolean share(Line line) {
        boolean group = line.isSet(GROUP);
        if (!group && (line.isSet(WAY) || line.isSet(SHARDS) || line.isSet(TIMEOUT))) {
            throw new UsageException(WAY + ", " + SHARDS + " and " + TIMEOUT + " require " + GROUP);
        }
        return group;
    }

    /// Loads by several ranks and reports; in a rank that is no first one, prints nothing.
    static void load(int repeat, Line line, Screen screen) {
        if (line.paths().size() > 1) {
            throw new UsageException(GROUP + " loads one checkpoint only");
        }
        if (line.isSet("--drop-cache")) {
            throw new UsageException("--drop-cache and " + GROUP + " exclude each other");
        }
        Optional<ShardSpec> shards = Optional.ofNullable(line.value(SHARDS)).map(GroupFlags::shards);
        Distribution way = line.oneOf(WAY, Distribution.AUTO, Distribution.values());
        Table.Format format = line.format();
        Duration timeout = line.read(TIMEOUT, "", text -> text.isEmpty() ? Bootstrap.DEFAULT_TIMEOUT
                : Bootstrap.requireTimeout(Duration.ofSeconds(Long.parseLong(text))));
        SharedLoad load = new SharedLoad(Line.location(line.paths().getFirst()), repeat, shards, (device, ranks) -> {
            LoaderBuilder builder = LoadFlags.withoutDevice(line).device(device).group(ranks).distribution(way);
            shards.ifPresent(builder::shards);
            return builder;
        });
        load.run(line.read("--device", "cpu",
                devices -> RankChoice.of(line.value(GROUP, ""), devices, timeout)))
                .ifPresent(report -> print(report, format, screen));
    }

    private static void print(RankReport report, Table.Format format, Screen screen) {
        Table table = new Table("rank", "metric", "value").grouped();
        report.addTo(table);
        table.print(format, screen);
        if (format == Table.Format.TEXT) {
            screen.out().println(screen.styled(Screen.Style.STRONG, report.headline()));
        }
    }

    /// A file if there is one of that name, else a shipped specification.
    private static ShardSpec shards(String text) {
        Path file = Line.path(text);
        return Files.exists(file) || text.endsWith(".json") ? ShardSpec.read(file) : ShardSpec.of(text);
    }
}

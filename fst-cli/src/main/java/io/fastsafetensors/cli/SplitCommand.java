package io.fastsafetensors.cli;

/// `fst split`: a checkpoint in shards, with an index.
final class SplitCommand implements Command {
    private static final String SIZE = "--max-shard-size";

    @Override
    public void describe(Syntax syntax) {
        Rewriting.describe(syntax, "a directory");
        syntax.value(SIZE, "SIZE",
                "the most data per shard, such as 5GB (required); a larger tensor gets a shard of its own");
    }

    @Override
    public int run(Line line, Screen screen) {
        if (!line.isSet(SIZE)) {
            throw new UsageException(SIZE + " is required, such as " + SIZE + " 5GB");
        }
        long bytes = line.read(SIZE, "", text -> Sizes.parse(SIZE, text));
        if (bytes < 1) {
            throw new UsageException(SIZE + ": must be at least one byte");
        }
        return Rewriting.of("split", line).intoShards(bytes, screen);
    }
}

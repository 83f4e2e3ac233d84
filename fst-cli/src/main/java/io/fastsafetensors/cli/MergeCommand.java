package io.fastsafetensors.cli;

/// `fst merge`: the shards of a checkpoint in one file.
final class MergeCommand implements Command {
    @Override
    public void describe(Syntax syntax) {
        Rewriting.describe(syntax, "a file");
    }

    @Override
    public int run(Line line, Screen screen) {
        return Rewriting.of("merge", line).intoOneFile(screen);
    }
}

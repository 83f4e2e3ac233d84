package io.fastsafetensors.cli;

/// `fst align`: a checkpoint whose data begins on whole pages, and its tensors as far as their sizes allow.
final class AlignCommand implements Command {
    private static final String ALIGNMENT = "--alignment";

    @Override
    public void describe(Syntax syntax) {
        Rewriting.describe(syntax, "a file, or a directory if IN has several files");
        syntax.value(ALIGNMENT, "SIZE",
                "the alignment of data and tensors in OUT (default 4096, for direct reads)");
    }

    @Override
    public int run(Line line, Screen screen) {
        Rewriting rewriting = Rewriting.of("align", line);
        line.read(ALIGNMENT, "4096",
                text -> rewriting.alignment((int) Math.min(Integer.MAX_VALUE, Sizes.parse(ALIGNMENT, text))));
        return rewriting.intoTheSameForm(screen);
    }
}

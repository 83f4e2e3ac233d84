package io.fastsafetensors.cli;

import io.fastsafetensors.types.DType;

/// `fst convert`: a checkpoint in another dtype.
final class ConvertCommand implements Command {
    private static final String DTYPE = "--dtype";

    @Override
    public void describe(Syntax syntax) {
        Rewriting.describe(syntax, "a file, or a directory if IN has several files");
        syntax.value(DTYPE, "DTYPE", "the dtype of floating-point tensors in OUT, such as BF16 or bfloat16 (required)");
    }

    @Override
    public int run(Line line, Screen screen) {
        DType dtype = line.dtype(DTYPE)
                .orElseThrow(() -> new UsageException(DTYPE + " is required, such as " + DTYPE + " BF16"));
        return Rewriting.of("convert", line).dtype(dtype).intoTheSameForm(screen);
    }
}

package io.fastsafetensors.cli;

import io.fastsafetensors.types.DType;
import java.util.Optional;

/// `fst convert`: a checkpoint in another dtype.
final class ConvertCommand implements Command {
    private static final String DTYPE = "--dtype";

    @Override
    public void describe(Syntax syntax) {
        Rewriting.describe(syntax, "a file, or a directory if IN has several files");
        syntax.value(DTYPE, "DTYPE",
                "the dtype of floating-point tensors in OUT, such as BF16 or bfloat16 (required without --dequantize)");
        Conversions.describe(syntax);
    }

    @Override
    public int run(Line line, Screen screen) {
        Optional<DType> dtype = line.dtype(DTYPE);
        if (dtype.isEmpty() && !Conversions.dequantizes(line)) {
            throw new UsageException(DTYPE + " is required, such as " + DTYPE + " BF16, or --dequantize");
        }
        return Rewriting.of("convert", line).converting(dtype).intoTheSameForm(screen);
    }
}

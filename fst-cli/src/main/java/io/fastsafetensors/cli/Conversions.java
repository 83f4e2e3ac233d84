package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// The options of commands that convert tensors, and what is told of a conversion that loses something.
final class Conversions {
    private static final String KEEP = "--keep";
    private static final String DEQUANTIZE = "--dequantize";
    private static final int MOST_NAMED = 8;

    private Conversions() {
    }

    /// Adds the options.
    static void describe(Syntax syntax) {
        syntax.value(DEQUANTIZE, "DTYPE",
                "multiply quantised tensors (FP8, MXFP4, NVFP4, INT8) by their scales, to BF16, F16"
                        + " or F32");
        syntax.values(KEEP, "GLOB", "neither convert nor de-quantise tensors whose names match");
    }

    /// Sets what the line says.
    static void set(Line line, LoaderBuilder builder) {
        line.dtype(DEQUANTIZE).ifPresent(dtype -> {
            try {
                builder.dequantize(dtype);
            } catch (IllegalArgumentException e) {
                throw new UsageException(DEQUANTIZE + ": " + e.getMessage());
            }
        });
        if (line.isSet(KEEP)) {
            List<String> globs = line.values(KEEP);
            line.ifSet(KEEP, _ -> builder.keep(Selection.glob(globs.toArray(new String[0]))));
        }
    }

    /// Whether the line asks for de-quantisation.
    static boolean dequantizes(Line line) {
        return line.isSet(DEQUANTIZE);
    }

    /// Refuses a pattern that keeps nothing: it is a mistyped one.
    static void requireKept(Line line, Checkpoint checkpoint, LoadOptions options) {
        if (line.isSet(KEEP) && !checkpoint.tensors().isEmpty()
                && checkpoint.tensors().stream().noneMatch(options.keep()::test)) {
            throw new CommandException(KEEP + " matches none of the " + checkpoint.tensors().size() + " tensors of "
                    + checkpoint.location() + "; fst ls lists their names", null);
        }
    }

    /// Says which quantised tensors a conversion takes away from their scales.
    static void warn(String command, Checkpoint checkpoint, LoadOptions options, Screen screen) {
        if (options.dtype().isEmpty() || options.dequantize().isPresent()) {
            return;
        }
        DType target = options.dtype().get();
        Map<String, String> quantized = Safetensors.quantized(checkpoint);
        List<String> left = new ArrayList<>();
        TreeSet<String> schemes = new TreeSet<>();
        for (TensorInfo tensor : checkpoint.tensors()) {
            String scheme = quantized.get(tensor.name());
            if (scheme != null && options.selection().test(tensor) && !options.keep().test(tensor)
                    && tensor.dtype().isFloat() && tensor.dtype() != target) {
                left.add(tensor.name());
                schemes.add(scheme);
            }
        }
        if (!left.isEmpty()) {
            screen.err().println("fst " + command + ": warning: " + Sizes.count(left.size(), "quantised tensor")
                    + (left.size() == 1 ? " becomes " : " become ") + target + " without "
                    + (left.size() == 1 ? "its scales, which are" : "their scales, which are") + " left behind ("
                    + String.join(", ", schemes) + "): " + named(left) + "; " + DEQUANTIZE + " multiplies them, "
                    + KEEP + " leaves them as they are");
        }
    }

    /// Says how many numbers became infinite, or the largest number.
    static void tell(String command, Map<String, Long> overflows, Screen screen) {
        if (!overflows.isEmpty()) {
            long all = overflows.values().stream().mapToLong(Long::longValue).sum();
            screen.err().println("fst " + command + ": warning: " + all + (all == 1 ? " number" : " numbers") + " of "
                    + Sizes.count(overflows.size(), "tensor") + " overflowed: " + overflows.entrySet().stream()
                            .sorted(Map.Entry.comparingByKey()).limit(MOST_NAMED)
                            .map(count -> '"' + SafeText.printable(count.getKey()) + "\" " + count.getValue())
                            .collect(Collectors.joining(", "))
                    + more(overflows.size()));
        }
    }

    private static String named(List<String> names) {
        return names.stream().limit(MOST_NAMED).map(name -> '"' + SafeText.printable(name) + '"')
                .collect(Collectors.joining(", ")) + more(names.size());
    }

    private static String more(int count) {
        return count > MOST_NAMED ? " and " + (count - MOST_NAMED) + " more" : "";
    }
}

package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// Shared by the commands that rewrite a checkpoint.
final class Rewriting {
    private static final String FILE_SUFFIX = ".safetensors";
    private static final String BUDGET = "--budget";
    private static final String DIGESTS = "--digests";

    private final String command;
    private final Line line;
    private final Location in;
    private final Path out;
    private final LoaderBuilder loader = Loader.builder();
    private final OpenOptions open;
    private WriteOptions options;

    private Rewriting(String command, Line line) {
        this.command = command;
        this.line = line;
        this.open = OpenFlags.of(line);
        loader.open(open);
        this.in = Line.location(line.paths().get(0));
        this.out = Line.path(line.paths().get(1));
        this.options = WriteOptions.defaults().withDigests(line.isSet(DIGESTS));
        if (line.isSet(BUDGET)) {
            line.read(BUDGET, "", text -> loader.deviceBudget(Sizes.parse(BUDGET, text)));
        }
    }

    /// Adds the paths and the options that [#of(String, Line)] reads.
    static void describe(Syntax syntax, String out) {
        syntax.operands("IN", "a file, directory or index file", "OUT", out);
        syntax.value(BUDGET, "SIZE", "the most memory that tensors in transfer may take (default 96MiB)");
        OpenFlags.describe(syntax);
        syntax.flag(DIGESTS, "write each tensor's SHA-256 into the metadata");
    }

    /// @param command its name, for what it tells
    static Rewriting of(String command, Line line) {
        return new Rewriting(command, line);
    }

    /// Tensors change: to this dtype, and as the line says.
    Rewriting converting(Optional<DType> dtype) {
        dtype.ifPresent(loader::dtype);
        Conversions.set(line, loader);
        return this;
    }

    Rewriting alignment(int bytes) {
        options = options.withDataAlignment(bytes);
        return this;
    }

    /// Writes one file.
    int intoOneFile(Screen screen) {
        return run(read(screen), out, options, screen);
    }

    /// Writes shards of at most `bytes`.
    int intoShards(long bytes, Screen screen) {
        return run(read(screen), out, options.withMaxShardBytes(bytes), screen);
    }

    /// Writes one file if the source is one or OUT is named like one, else files of the source's names.
    int intoTheSameForm(Screen screen) {
        Checkpoint source = read(screen);
        if (out.toString().endsWith(FILE_SUFFIX) && !Files.isDirectory(out)) {
            return run(source, out, options, screen);
        }
        if (source.files().size() > 1 || source.index().isPresent()) {
            return run(source, out, options.withKeepFiles(true), screen);
        }
        String name = source.files().getFirst().name();
        return run(source, Files.isDirectory(out) ? Location.of(out).resolve(name).path().orElseThrow() : out, options,
                screen);
    }

    private Checkpoint read(Screen screen) {
        Checkpoint source = Safetensors.open(in, open);
        OpenFlags.tell(command, source, screen);
        return source;
    }

    private int run(Checkpoint source, Path target, WriteOptions how, Screen screen) {
        if (!how.keepFiles()) {
            tellLostMetadata(source, screen);
        }
        Conversions.requireKept(line, source, loader.options());
        Conversions.warn(command, source, loader.options(), screen);
        long start = System.nanoTime();
        List<Path> files;
        Map<String, Long> overflows = new TreeMap<>();
        try (ProgressBar bar = new ProgressBar("rewriting", screen, overflows::putAll);
                Loader loading = loader.progress(bar).build()) {
            files = loading.rewrite(in, target, how);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        // The index comes last.
        Checkpoint written = Safetensors.open(files.getLast());
        screen.out().println("wrote " + Sizes.count(written.tensors().size(), "tensor") + ", "
                + Sizes.human(written.byteSize()) + ", to " + SafeText.printable(target.toString()) + " ("
                + Sizes.count(files.size(), "file") + ") in " + Sizes.time(seconds) + conversions(source, written));
        Conversions.tell(command, overflows, screen);
        return 0;
    }

    /// How many tensors changed, and how many did not.
    private String conversions(Checkpoint source, Checkpoint written) {
        LoadOptions options = loader.options();
        if (options.dtype().isEmpty() && options.dequantize().isEmpty()) {
            return "";
        }
        int converted = 0;
        int same = 0;
        int kept = 0;
        Set<String> names = source.names();
        Map<String, String> quantized = options.dequantize().isEmpty() ? Map.of() : Safetensors.quantized(source);
        int multiplied = 0;
        for (TensorInfo tensor : written.tensors()) {
            boolean is = names.contains(tensor.name());
            TensorInfo before = is ? source.info(tensor.name()) : tensor;
            if (!is || (quantized.containsKey(tensor.name()) && !options.keep().test(before))) {
                multiplied++;
            } else if (before.dtype() != tensor.dtype()) {
                converted++;
            } else if (options.keep().test(before)) {
                kept++;
            } else {
                same++;
            }
        }
        return ": " + (options.dequantize().isEmpty() ? "" : multiplied + " de-quantised, ") + converted
                + " converted, "
                + kept + " kept, " + same + " as they were";
    }

    /// Where files are put together or cut, one value of a key stays.
    private void tellLostMetadata(Checkpoint source, Screen screen) {
        Map<String, Set<String>> values = new TreeMap<>();
        for (Location file : source.files()) {
            source.metadata(file).forEach((key, value) -> values.computeIfAbsent(key, _ -> new HashSet<>()).add(value));
        }
        values.forEach((key, different) -> {
            if (different.size() > 1 && !key.startsWith(WriteOptions.DIGEST_KEY)) {
                screen.err().println("fst " + command + ": note: the files have " + different.size()
                        + " values of metadata key \"" + SafeText.printable(key) + "\"; the last one's is kept");
            }
        });
    }
}

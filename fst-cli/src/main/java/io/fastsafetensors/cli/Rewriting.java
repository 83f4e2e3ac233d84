package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Shared by the commands that rewrite a checkpoint.
final class Rewriting {
    private static final String FILE_SUFFIX = ".safetensors";
    private static final String BUDGET = "--budget";
    private static final String DIGESTS = "--digests";

    private final Location in;
    private final Path out;
    private final LoaderBuilder loader = Loader.builder();
    private WriteOptions options;

    private Rewriting(Line line) {
        this.in = Line.location(line.paths().get(0));
        this.out = Line.path(line.paths().get(1));
        this.options = WriteOptions.defaults().withDigests(line.isSet(DIGESTS));
        if (line.isSet(BUDGET)) {
            line.read(BUDGET, "", text -> loader.deviceBudget(Sizes.parse(BUDGET, text)));
        }
    }

    /// Adds the paths and the options that [#of(Line)] reads.
    static void describe(Syntax syntax, String out) {
        syntax.operands("IN", "a file, directory or index file", "OUT", out);
        syntax.value(BUDGET, "SIZE", "the most memory that tensors in transfer may take (default 96MiB)");
        syntax.flag(DIGESTS, "write each tensor's SHA-256 into the metadata");
    }

    static Rewriting of(Line line) {
        return new Rewriting(line);
    }

    Rewriting dtype(DType dtype) {
        loader.dtype(dtype);
        return this;
    }

    Rewriting alignment(int bytes) {
        options = options.withDataAlignment(bytes);
        return this;
    }

    /// Writes one file.
    int intoOneFile(Screen screen) {
        return run(out, options, screen);
    }

    /// Writes shards of at most `bytes`.
    int intoShards(long bytes, Screen screen) {
        return run(out, options.withMaxShardBytes(bytes), screen);
    }

    /// Writes one file if the source is one or OUT is named like one, else shards no larger than the source's largest.
    int intoTheSameForm(Optional<DType> dtype, Screen screen) {
        Checkpoint source = Safetensors.open(in);
        if (out.toString().endsWith(FILE_SUFFIX) && !Files.isDirectory(out)) {
            return intoOneFile(screen);
        }
        if (source.files().size() == 1) {
            String name = source.files().getFirst().name();
            return run(Files.isDirectory(out) ? Location.of(out).resolve(name).path().orElseThrow() : out, options,
                    screen);
        }
        return intoShards(largestShard(source, dtype), screen);
    }

    private static long largestShard(Checkpoint source, Optional<DType> dtype) {
        Map<Location, Long> sizes = new HashMap<>();
        for (TensorInfo tensor : source.tensors()) {
            DType target = tensor.dtype().isFloat() ? dtype.orElse(tensor.dtype()) : tensor.dtype();
            long bits = tensor.shape().elements() * target.bits();
            sizes.merge(tensor.file(), Math.ceilDiv(bits, 8L), Long::sum);
        }
        return Math.max(1, sizes.values().stream().mapToLong(Long::longValue).max().orElse(1));
    }

    private int run(Path target, WriteOptions how, Screen screen) {
        long start = System.nanoTime();
        List<Path> files;
        try (ProgressBar bar = new ProgressBar("rewriting", screen); Loader open = loader.progress(bar).build()) {
            files = open.rewrite(in, target, how);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        Checkpoint written = Safetensors.open(target);
        screen.out().println("wrote " + Sizes.count(written.tensors().size(), "tensor") + ", "
                + Sizes.human(written.byteSize()) + ", to " + Json.printable(target.toString()) + " ("
                + Sizes.count(files.size(), "file") + ") in " + Sizes.time(seconds));
        return 0;
    }
}

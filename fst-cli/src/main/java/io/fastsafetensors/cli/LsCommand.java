package io.fastsafetensors.cli;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.FstException;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// `fst ls`: tensors from headers alone, or with `--sha256` from a load.
final class LsCommand implements Command {
    private static final String[] COLUMNS = {"file", "name", "dtype", "shape", "file_offset", "nbytes"};
    private static final String[] WITH_DIGEST = {"file", "name", "dtype", "shape", "file_offset", "nbytes", "sha256"};

    private static final String METADATA = "--metadata";

    @Override
    public void describe(Syntax syntax) {
        syntax.paths(1, Integer.MAX_VALUE, "files, directories or index files");
        syntax.flag("--sha256", "load every tensor, and list the SHA-256 of its bytes");
        syntax.flag(METADATA, "list each file's __metadata__ instead of its tensors");
        syntax.value("--device", "DEVICE", "the device that --sha256 loads to, such as cuda:0 (default cpu)");
        OpenFlags.describe(syntax);
        syntax.format();
    }

    @Override
    public int run(Line line, Screen screen) {
        boolean digest = line.isSet("--sha256");
        Device device = line.read("--device", "cpu", Device::parse);
        if (!digest && line.isSet("--device")) {
            throw new UsageException("--device requires --sha256: a listing reads headers only");
        }
        boolean metadata = line.isSet(METADATA);
        if (metadata && digest) {
            throw new UsageException(METADATA + " and --sha256 exclude each other: " + METADATA + " lists no tensors");
        }
        OpenOptions options = OpenFlags.of(line);
        Table.Format format = line.format();
        Table table = metadata ? new Table("file", "key", "value").grouped()
                : new Table(digest ? WITH_DIGEST : COLUMNS).alignRight("file_offset", "nbytes").grouped();
        int status = 0;
        long tensors = 0;
        long keys = 0;
        long files = 0;
        long bytes = 0;
        for (String argument : line.paths()) {
            Location path = Line.location(argument);
            try {
                Checkpoint checkpoint = metadata ? addMetadata(table, argument, path, options)
                        : digest ? addDigested(table, argument, path, options, device)
                                : addHeaders(table, argument, path, options);
                OpenFlags.tell("ls", checkpoint, screen);
                tensors += checkpoint.tensors().size();
                keys += checkpoint.files().stream().mapToLong(file -> checkpoint.metadata(file).size()).sum();
                files += checkpoint.files().size();
                bytes += checkpoint.byteSize();
            } catch (FstException e) {
                // As the system's ls does: complain, list the others.
                screen.err().println("fst ls: " + Main.message(e));
                if (line.isSet("--stacktrace")) {
                    e.printStackTrace(screen.err());
                }
                status = 1;
            }
        }
        table.print(format, screen);
        if (format == Table.Format.TEXT && files > 0) {
            screen.out()
                    .println((metadata ? Sizes.count(keys, "metadata key") : Sizes.count(tensors, "tensor")) + " in "
                            + Sizes.count(files, "file")
                            + (metadata ? "" : ", " + Sizes.human(bytes)));
        }
        return status;
    }

    private static Checkpoint addHeaders(Table table, String argument, Location path, OpenOptions options) {
        Checkpoint checkpoint = Safetensors.open(path, options);
        for (TensorInfo tensor : checkpoint.tensors()) {
            table.add(Cell.text(shownFile(argument, path, tensor.file())), Cell.name(tensor.name()),
                    Cell.text(tensor.dtype().name()), Cell.json(tensor.shape().toString()),
                    Cell.number(tensor.fileOffset()), Cell.bytes(tensor.byteSize()));
        }
        return checkpoint;
    }

    private static Checkpoint addMetadata(Table table, String argument, Location path, OpenOptions options) {
        Checkpoint checkpoint = Safetensors.open(path, options);
        for (Location file : checkpoint.files()) {
            checkpoint.metadata(file).forEach((key, value) -> table.add(
                    Cell.text(shownFile(argument, path, file)), Cell.name(key), Cell.name(value)));
        }
        return checkpoint;
    }

    private static Checkpoint addDigested(Table table, String argument, Location path, OpenOptions options,
            Device device) {
        try (Loader loader = Loader.builder().device(device).open(options).build();
                Weights weights = loader.load(path)) {
            Checkpoint checkpoint = weights.checkpoint();
            List<TensorInfo> tensors = checkpoint.tensors();
            Map<String, String> digests = DigestList.sha256(weights);
            for (TensorInfo tensor : tensors) {
                table.add(Cell.text(shownFile(argument, path, tensor.file())), Cell.name(tensor.name()),
                        Cell.text(tensor.dtype().name()), Cell.json(tensor.shape().toString()),
                        Cell.number(tensor.fileOffset()), Cell.bytes(tensor.byteSize()),
                        Cell.text(digests.getOrDefault(tensor.name(), "")));
            }
            return checkpoint;
        }
    }

    /// A file as the user would name it: the argument itself, or the file's place below the directory given.
    static String shownFile(String argument, Location asked, Location file) {
        if (asked.path().isEmpty() || file.path().isEmpty()) {
            return file.equals(asked) ? argument : file.toString();
        }
        Path path = asked.path().get();
        if (Files.isDirectory(path)) {
            Path base = path.toAbsolutePath();
            Path below = file.path().get().toAbsolutePath();
            return below.startsWith(base) ? Location.of(path.resolve(base.relativize(below))).toString()
                    : file.toString();
        }
        if (argument.endsWith(".json")) {
            return Location.of(path.resolveSibling(file.path().get().getFileName())).toString();
        }
        return RawArguments.shown(argument);
    }
}

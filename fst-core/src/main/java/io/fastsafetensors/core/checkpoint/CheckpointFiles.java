package io.fastsafetensors.core.checkpoint;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// Where a checkpoint lies. Immutable; says nothing of what the files hold.
///
/// @param path the path that was asked for
/// @param index the index that names the shards, if there is one
/// @param directory the directory of the shards
/// @param files the files in order, empty where an index names them
public record CheckpointFiles(Path path, Optional<Path> index, Path directory, List<Path> files) {
    private static final String INDEX_SUFFIX = ".safetensors.index.json";
    private static final String FILE_SUFFIX = ".safetensors";

    /// Copies the list.
    public CheckpointFiles {
        files = List.copyOf(files);
    }

    /// Finds the files of a checkpoint. Symbolic links are followed.
    ///
    /// @param path a safetensors file, an index (`*.json`), a directory with one index or with safetensors files, or
    ///     a folder of the Hugging Face cache (`models--…`), of which the snapshot of `main` or the only one is taken
    /// @throws StorageException if there is no such path, or a directory cannot be read
    /// @throws FormatException NoCheckpoint if a directory holds none, InvalidIndex if it holds several indexes
    public static CheckpointFiles resolve(Path path) {
        if (Files.isDirectory(path)) {
            Optional<CheckpointFiles> found = inDirectory(path, path);
            return found.or(() -> HubCache.snapshot(path).flatMap(snapshot -> inDirectory(path, snapshot)))
                    .orElseThrow(() -> new FormatException(FormatError.NO_CHECKPOINT,
                            "no " + FILE_SUFFIX + " file and no index in the directory", Where.file(path)));
        }
        if (!Files.exists(path)) {
            throw new StorageException("no such file or directory; check the path", Where.file(path));
        }
        Path parent = path.resolveSibling("");
        if (nameOf(path).endsWith(".json")) {
            return new CheckpointFiles(path, Optional.of(path), parent, List.of());
        }
        return new CheckpointFiles(path, Optional.empty(), parent, List.of(path));
    }

    /// A checkpoint of these files in this order; they are not looked at yet.
    ///
    /// @throws FormatException NoCheckpoint if there are none
    public static CheckpointFiles of(List<Path> files) {
        if (files.isEmpty()) {
            throw new FormatException(FormatError.NO_CHECKPOINT, "an empty list of files", Where.nowhere());
        }
        Path first = files.getFirst();
        return new CheckpointFiles(first, Optional.empty(), first.resolveSibling(""), files);
    }

    private static Optional<CheckpointFiles> inDirectory(Path asked, Path directory) {
        List<Path> entries = list(directory);
        List<Path> indexes = entries.stream().filter(entry -> nameOf(entry).endsWith(INDEX_SUFFIX)).toList();
        if (indexes.size() > 1) {
            List<String> names = indexes.stream().map(CheckpointFiles::nameOf).toList();
            throw new FormatException(FormatError.INVALID_INDEX,
                    "several indexes: " + String.join(", ", names) + "; open the one that is meant",
                    Where.file(directory));
        }
        if (!indexes.isEmpty()) {
            return Optional.of(new CheckpointFiles(asked, Optional.of(indexes.getFirst()), directory, List.of()));
        }
        return entries.isEmpty() ? Optional.empty()
                : Optional.of(new CheckpointFiles(asked, Optional.empty(), directory, entries));
    }

    /// The indexes and files of tensors in a directory, but for hidden ones, by name. A dangling link is among them: opening
    /// it says what is wrong.
    private static List<Path> list(Path directory) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (isNamed(nameOf(entry)) && !Files.isDirectory(entry)) {
                    found.add(entry);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            throw new StorageException("cannot list the directory: " + e.getMessage(), Where.file(directory), e);
        }
        found.sort(Comparator.comparing(CheckpointFiles::nameOf));
        return found;
    }

    private static boolean isNamed(String name) {
        return !name.startsWith(".") && (name.endsWith(INDEX_SUFFIX) || name.endsWith(FILE_SUFFIX));
    }

    private static String nameOf(Path path) {
        return String.valueOf(path.getFileName());
    }
}

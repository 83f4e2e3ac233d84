package io.fastsafetensors.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// A directory that is gone when this is closed, and also when the process is interrupted.
final class TemporaryDirectory implements AutoCloseable {
    private static final int TRIES = 3;

    private final Path path;
    private final boolean keep;
    private final Thread hook;

    private TemporaryDirectory(Path path, boolean keep) {
        this.path = path;
        this.keep = keep;
        this.hook = new Thread(() -> delete(path), "fst-cleanup");
    }

    /// @param parent where to make it
    /// @param keep whether it stays after an orderly end
    static TemporaryDirectory create(Path parent, boolean keep) {
        try {
            TemporaryDirectory made = new TemporaryDirectory(Files.createTempDirectory(parent, "fst-demo-"), keep);
            Runtime.getRuntime().addShutdownHook(made.hook);
            return made;
        } catch (IOException e) {
            throw new CommandException("cannot create a directory in " + parent + ": " + reason(e)
                    + "; --dir names another place", e);
        }
    }

    // The message of these two is the path alone.
    private static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "no such directory";
            default -> String.valueOf(e.getMessage());
        };
    }

    Path path() {
        return path;
    }

    @Override
    public void close() {
        if (!keep) {
            delete(path);
        }
        Runtime.getRuntime().removeShutdownHook(hook);
    }

    private static void delete(Path directory) {
        // Again if it did not work: an interrupted writer may have made one more file meanwhile.
        for (int i = 0; i < TRIES && !deleteOnce(directory); i++) {
            Thread.onSpinWait();
        }
    }

    private static boolean deleteOnce(Path directory) {
        try (Stream<Path> tree = Files.walk(directory)) {
            List<Path> deepestFirst = tree.sorted(Comparator.reverseOrder()).toList();
            for (Path entry : deepestFirst) {
                Files.deleteIfExists(entry);
            }
            return true;
        } catch (NoSuchFileException e) {
            return Files.notExists(directory);
        } catch (IOException | UncheckedIOException e) {
            return false;
        }
    }
}

package io.fastsafetensors.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/// Writes small text files whole or not at all: into a temporary file of the same directory, which is then renamed.
final class TextFile {
    private TextFile() {
    }

    /// Fails early, before what is to be written has been measured.
    ///
    /// @param option the option that names the file
    static void requireWritable(String option, Path file) {
        Path directory = directory(real(file));
        if (!Files.isDirectory(directory)) {
            throw new CommandException(option + ": there is no directory " + directory, null);
        }
        // A device or a pipe would be renamed away.
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new CommandException(option + ": " + file + " is there and is no regular file", null);
        }
        if (!Files.isWritable(directory)) {
            throw new CommandException(option + ": " + directory + " cannot be written to", null);
        }
    }

    /// Writes `text` in UTF-8, over a file of that name; where that is a symbolic link, over the file that it leads to.
    static void write(Path file, String text) {
        Path target = real(file);
        Path temporary = directory(target)
                .resolve("." + target.getFileName() + "." + ProcessHandle.current().pid() + ".fst-tmp");
        Thread cleanup = new Thread(() -> delete(temporary), "fst-cleanup");
        Runtime.getRuntime().addShutdownHook(cleanup);
        try {
            Files.writeString(temporary, text);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new CommandException(file + " cannot be written: "
                    + (e instanceof AccessDeniedException ? "permission denied" : e.getMessage()), e);
        } finally {
            delete(temporary);
            Runtime.getRuntime().removeShutdownHook(cleanup);
        }
    }

    private static Path real(Path file) {
        try {
            return Files.exists(file) ? file.toRealPath() : file;
        } catch (IOException e) {
            throw new CommandException(file + " cannot be written: " + e.getMessage(), e);
        }
    }

    private static Path directory(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        return parent == null ? file.toAbsolutePath() : parent;
    }

    private static void delete(Path temporary) {
        try {
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            System.getLogger("io.fastsafetensors.cli").log(System.Logger.Level.DEBUG, "left behind: " + temporary, e);
        }
    }
}

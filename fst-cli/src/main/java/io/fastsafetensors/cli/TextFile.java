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
        Path directory = directory(file);
        if (!Files.isDirectory(directory)) {
            throw new CommandException(option + ": there is no directory " + directory, null);
        }
        if (Files.isDirectory(file)) {
            throw new CommandException(option + ": " + file + " is a directory", null);
        }
        if (!Files.isWritable(directory)) {
            throw new CommandException(option + ": " + directory + " cannot be written to", null);
        }
    }

    /// Writes `text` in UTF-8, over a file of that name.
    static void write(Path file, String text) {
        Path temporary = directory(file)
                .resolve("." + file.getFileName() + "." + ProcessHandle.current().pid() + ".fst-tmp");
        Thread cleanup = new Thread(() -> delete(temporary), "fst-cleanup");
        Runtime.getRuntime().addShutdownHook(cleanup);
        try {
            Files.writeString(temporary, text);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new CommandException(file + " cannot be written: "
                    + (e instanceof AccessDeniedException ? "permission denied" : e.getMessage()), e);
        } finally {
            delete(temporary);
            Runtime.getRuntime().removeShutdownHook(cleanup);
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

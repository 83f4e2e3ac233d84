package io.fastsafetensors.testkit.storage;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/// An open descriptor, for mutants to leave open.
final class Handle {
    private static final Path FILE = file();
    /// Those that nobody closes, so that the garbage collector does not either.
    private static final Queue<FileChannel> FORGOTTEN = new ConcurrentLinkedQueue<>();

    private final FileChannel channel;

    private Handle(FileChannel channel) {
        this.channel = channel;
    }

    private static Path file() {
        try {
            Path file = Files.createTempFile("fst-handle", "");
            file.toFile().deleteOnExit();
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Handle open() {
        try {
            return new Handle(FileChannel.open(FILE));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Opens one that nobody closes.
    static void forget() {
        FORGOTTEN.add(open().channel);
    }

    void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

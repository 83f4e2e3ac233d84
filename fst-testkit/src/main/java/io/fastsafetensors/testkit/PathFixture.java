package io.fastsafetensors.testkit;

import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// Files in a directory, for storages of paths: of the default file system, of another one, or of what is mounted. Pipes
/// and sparse files are for the default one.
public class PathFixture extends StorageFixture {
    /// A file system stamps files with its clock's last tick, at most this long ago.
    private static final long TICK_NANOS = 20_000_000;

    private final Path directory;
    private final AtomicLong numbers = new AtomicLong();

    /// @param directory exists and is empty; [#close()] deletes what is in it
    public PathFixture(Path directory) {
        this.directory = directory;
    }

    @Override
    public Location location(String name) {
        return Location.of(directory).resolve(name);
    }

    @Override
    public void write(Location file, byte[] bytes) throws IOException {
        Path next = path(file).resolveSibling(".next" + numbers.incrementAndGet());
        Files.write(next, bytes);
        Files.move(next, path(file), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    @Override
    public void delete(Location file) throws IOException {
        Files.delete(path(file));
    }

    @Override
    public void rewrite(Location file, byte[] bytes) throws IOException {
        change(file, channel -> writeAll(channel, 0, bytes));
    }

    @Override
    public void append(Location file, byte[] bytes) throws IOException {
        change(file, channel -> writeAll(channel, channel.size(), bytes));
    }

    @Override
    public void truncate(Location file, long length) throws IOException {
        change(file, channel -> channel.truncate(length));
    }

    @Override
    public boolean lists() {
        return true;
    }

    @Override
    public void makeDirectory(Location made) throws IOException {
        Files.createDirectory(path(made));
    }

    @Override
    public void makeOther(Location other) throws Exception {
        if (!other.isLocal()) {
            super.makeOther(other);
        }
        Process mkfifo;
        try {
            mkfifo = new ProcessBuilder("mkfifo", path(other).toString()).inheritIO().start();
        } catch (IOException e) {
            Assumptions.abort("no pipes here: " + e.getMessage());
            return;
        }
        Assumptions.assumeTrue(mkfifo.waitFor() == 0, "no pipes here: mkfifo failed");
    }

    @Override
    public void writeSparse(Location file, long length, Map<Long, byte[]> pieces) throws Exception {
        if (!file.isLocal()) {
            super.writeSparse(file, length, pieces);
        }
        try (FileChannel channel = FileChannel.open(path(file), StandardOpenOption.CREATE_NEW,
                StandardOpenOption.WRITE, StandardOpenOption.SPARSE)) {
            for (Map.Entry<Long, byte[]> piece : pieces.entrySet()) {
                writeAll(channel, piece.getKey(), piece.getValue());
            }
            if (channel.size() < length) {
                writeAll(channel, length - 1, new byte[1]);
            }
        }
    }

    private interface Write {
        void to(FileChannel channel) throws IOException;
    }

    private static void change(Location file, Write write) throws IOException {
        LockSupport.parkNanos(TICK_NANOS);
        try (FileChannel channel = FileChannel.open(path(file), StandardOpenOption.WRITE)) {
            write.to(channel);
        }
    }

    private static void writeAll(FileChannel channel, long at, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer, at + buffer.position());
        }
    }

    private static Path path(Location location) {
        return location.path().orElseThrow(() -> new IllegalArgumentException(location + " is no path"));
    }

    /// Empties the directory.
    @Override
    public void close() throws IOException {
        empty(directory);
    }

    private static void empty(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            for (Path entry : entries.toList()) {
                if (Files.isDirectory(entry)) {
                    empty(entry);
                }
                Files.delete(entry);
            }
        }
    }
}

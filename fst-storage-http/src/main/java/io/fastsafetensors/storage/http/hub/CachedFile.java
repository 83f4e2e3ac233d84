package io.fastsafetensors.storage.http.hub;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.function.LongFunction;

/// A file of the local cache. The cache never changes a commit's files.
final class CachedFile implements StorageFile {
    private static final long MOST = 1 << 30;

    private final Location location;
    private final Path path;
    private FileChannel channel;
    private final long length;
    private final FileIdentity identity;
    private volatile boolean closed;

    private CachedFile(Location location, Path path, FileChannel channel, long length, FileIdentity identity) {
        this.location = location;
        this.path = path;
        this.channel = channel;
        this.length = length;
        this.identity = identity;
    }

    static CachedFile open(Location location, Path path, LongFunction<FileIdentity> identity) {
        try {
            FileChannel channel = FileChannel.open(path);
            long length = channel.size();
            return new CachedFile(location, path, channel, length,
                    identity.apply(length));
        } catch (IOException e) {
            throw new StorageException("cannot read the file of the cache (" + e.getClass().getSimpleName()
                    + "); download it again", location.where(), e);
        }
    }

    @Override
    public Location location() {
        return location;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public FileIdentity identity() {
        return identity;
    }

    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        if (closed) {
            throw new IllegalStateException("the file is closed: " + location);
        }
        long size = Math.min(Math.min(bytes, MOST), length - offset);
        if (size <= 0) {
            return 0;
        }
        // An interrupted thread that reads would close the channel for every reader.
        boolean interrupted = Thread.interrupted();
        try {
            while (true) {
                FileChannel now = channel();
                try {
                    int count = now.read(target.asSlice(targetOffset, size).asByteBuffer(), offset);
                    if (count < 1) {
                        throw new StorageException("the file of the cache became shorter; download it again",
                                location.where().withOffset(offset));
                    }
                    return count;
                } catch (ClosedChannelException e) {
                    // A reader was interrupted meanwhile, this one or another.
                    interrupted |= Thread.interrupted();
                    if (closed) {
                        throw new IllegalStateException("the file is closed: " + location, e);
                    }
                }
            }
        } catch (IOException e) {
            throw new StorageException("reading the cache failed (" + e.getClass().getSimpleName() + ")",
                    location.where().withOffset(offset), e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private synchronized FileChannel channel() throws IOException {
        if (!channel.isOpen() && !closed) {
            channel = FileChannel.open(path);
        }
        return channel;
    }

    @Override
    public String storageName() {
        return "hf cache";
    }

    @Override
    public synchronized void close() {
        closed = true;
        try {
            channel.close();
        } catch (IOException e) {
            throw new StorageException("closing failed", location.where(), e);
        }
    }
}

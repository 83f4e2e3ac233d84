package io.fastsafetensors.storage.http.hub;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.OpenFile;
import io.fastsafetensors.spi.storage.SharedChannel;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.function.LongFunction;

/// A file of the local cache. The cache never changes a commit's files.
final class SnapshotFile extends OpenFile {
    private static final long MOST = 1 << 30;

    private final Path path;
    private final SharedChannel channel;
    private final long length;
    private final FileIdentity identity;

    private SnapshotFile(Location location, Path path, FileChannel channel, long length, FileIdentity identity) {
        super(location);
        this.path = path;
        this.channel = new SharedChannel(channel, this::openAgain);
        this.length = length;
        this.identity = identity;
    }

    static SnapshotFile open(Location location, Path path, LongFunction<FileIdentity> identity) {
        try {
            FileChannel channel = FileChannel.open(path);
            long length = channel.size();
            return new SnapshotFile(location, path, channel, length,
                    identity.apply(length));
        } catch (IOException e) {
            throw new StorageException("cannot read the file of the cache (" + e.getClass().getSimpleName()
                    + "); download it again", location.where(), e);
        }
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
        requireOpen();
        long size = Math.min(Math.min(bytes, MOST), length - offset);
        if (size <= 0) {
            return 0;
        }
        try {
            int count = channel.run(from -> ((FileChannel) from)
                    .read(target.asSlice(targetOffset, size).asByteBuffer(), offset));
            if (count < 1) {
                throw new StorageException("the file of the cache became shorter; download it again",
                        location().where().withOffset(offset));
            }
            return count;
        } catch (IOException e) {
            throw new StorageException("reading the cache failed (" + e.getClass().getSimpleName() + ")",
                    location().where().withOffset(offset), e);
        }
    }

    private FileChannel openAgain() throws IOException {
        requireOpen();
        return FileChannel.open(path);
    }

    @Override
    public String storageName() {
        return "hf cache";
    }

    @Override
    protected void release() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new StorageException("closing failed", location().where(), e);
        }
    }
}

package io.fastsafetensors.core.read;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A file through the JDK alone, where Linux's calls are not to be had. Reader threads are never interrupted, since an
/// interrupt would close the channel for all of them.
final class ChannelFile implements StorageFile {
    private final Path path;
    private final FileChannel channel;
    private final long length;
    private final String reason;

    ChannelFile(Path path, String why) {
        this.path = path;
        this.reason = "buffered: " + why;
        try {
            channel = FileChannel.open(path, StandardOpenOption.READ);
            length = channel.size();
        } catch (IOException e) {
            throw new StorageException("cannot open: " + e, Where.file(path), e);
        }
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public String fileSystem() {
        return "unknown";
    }

    @Override
    public boolean isDirect() {
        return false;
    }

    @Override
    public String reason() {
        return reason;
    }

    @Override
    public long cachedPages(long offset, long bytes) {
        return -1;
    }

    @Override
    public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
        return 0;
    }

    @Override
    public long readBuffered(long offset, MemorySegment target, long targetOffset, long bytes) {
        try {
            return Math.max(0, channel.read(target.asSlice(targetOffset, bytes).asByteBuffer(), offset));
        } catch (IOException e) {
            throw new StorageException("read failed: " + e, Where.file(path).withOffset(offset), e);
        }
    }

    @Override
    public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
        return REFUSED;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new StorageException("cannot close: " + e, Where.file(path), e);
        }
    }
}

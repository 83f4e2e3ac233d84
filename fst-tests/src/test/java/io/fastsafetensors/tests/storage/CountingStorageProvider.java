package io.fastsafetensors.tests.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;

/// Local files by the addresses `counted:PATH`, with a count of the bytes that were read.
public final class CountingStorageProvider extends ChannelStorageProvider {
    /// The bytes that all files together gave out.
    public static final AtomicLong BYTES = new AtomicLong();

    /// For [java.util.ServiceLoader].
    public CountingStorageProvider() {
        super("counted", StandardOpenOption.READ);
    }

    /// A local file, counted.
    public static Location counted(Path file) {
        return Location.of("counted:" + file);
    }

    @Override
    StorageFile file(Location location, FileChannel channel) {
        return new Counted(location, channel);
    }

    private static final class Counted extends ChannelFile {
        Counted(Location location, FileChannel channel) {
            super(location, channel);
        }

        @Override
        public FileIdentity identity() {
            try {
                return FileIdentity.of(channel.size() + " " + Files.getLastModifiedTime(path(location())));
            } catch (IOException e) {
                throw new StorageException("has no time", location().where(), e);
            }
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            long got = super.read(offset, target, targetOffset, bytes);
            BYTES.addAndGet(got);
            return got;
        }
    }
}

package io.fastsafetensors.tests.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/// Local files by the addresses `counted:PATH`, with a count of the bytes that were read.
public final class CountingStorageProvider implements StorageProvider {
    /// The bytes that all files together gave out.
    public static final AtomicLong BYTES = new AtomicLong();

    /// For [java.util.ServiceLoader].
    public CountingStorageProvider() {
    }

    /// A local file, counted.
    public static Location counted(Path file) {
        return Location.of("counted:" + file);
    }

    private static Path path(Location location) {
        return Path.of(location.address().substring("counted:".length()));
    }

    @Override
    public Set<String> schemes() {
        return Set.of("counted");
    }

    @Override
    public Storage open(StorageOptions options) {
        return new Storage() {
            @Override
            public Kind kind(Location location) {
                return Files.isRegularFile(path(location)) ? Kind.FILE : Kind.ABSENT;
            }

            @Override
            public StorageFile open(Location file) {
                try {
                    return new Counted(file, FileChannel.open(path(file)));
                } catch (IOException e) {
                    throw new StorageException("cannot be opened", file.where(), e);
                }
            }

            @Override
            public void close() {
            }
        };
    }

    private record Counted(Location location, FileChannel channel) implements StorageFile {
        @Override
        public long length() {
            try {
                return channel.size();
            } catch (IOException e) {
                throw new StorageException("has no length", location.where(), e);
            }
        }

        @Override
        public FileIdentity identity() {
            try {
                return FileIdentity.of(length() + " " + Files.getLastModifiedTime(path(location)));
            } catch (IOException e) {
                throw new StorageException("has no time", location.where(), e);
            }
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            try {
                int got = channel.read(target.asSlice(targetOffset, Math.min(bytes, 1 << 30)).asByteBuffer(), offset);
                BYTES.addAndGet(Math.max(0, got));
                return Math.max(0, got);
            } catch (IOException e) {
                throw new StorageException("cannot be read", location.where().withOffset(offset), e);
            }
        }

        @Override
        public String storageName() {
            return "counted";
        }

        @Override
        public void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw new StorageException("cannot be closed", location.where(), e);
            }
        }
    }
}

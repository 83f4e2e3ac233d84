package io.fastsafetensors.tests.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/// Local files by the addresses `shrinking:PATH`, which lose their second half as soon as a load knows that the page cache
/// has them: between its look and its copy. Their identity does not tell.
public final class ShrinkingStorageProvider implements StorageProvider {
    /// For [java.util.ServiceLoader].
    public ShrinkingStorageProvider() {
    }

    /// A local file that will shrink.
    public static Location shrinking(Path file) {
        return Location.of("shrinking:" + file);
    }

    private static Path path(Location location) {
        return Path.of(location.address().substring("shrinking:".length()));
    }

    @Override
    public Set<String> schemes() {
        return Set.of("shrinking");
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
                    FileChannel channel =
                            FileChannel.open(path(file), StandardOpenOption.READ, StandardOpenOption.WRITE);
                    return new Shrinking(file, channel, channel.size());
                } catch (IOException e) {
                    throw new StorageException("cannot be opened", file.where(), e);
                }
            }

            @Override
            public void close() {
                // Nothing is held.
            }
        };
    }

    private record Shrinking(Location location, FileChannel channel, long length)
            implements StorageFile, CacheResidency, Mapping {
        @Override
        public FileIdentity identity() {
            return FileIdentity.of("always the same");
        }

        @Override
        public long cachedBytes(long offset, long bytes) {
            try {
                channel.truncate(length / 2);
                return bytes;
            } catch (IOException e) {
                throw new StorageException("cannot be cut off", location.where(), e);
            }
        }

        @Override
        public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
            return 0;
        }

        /// As long as it was: the JDK maps nothing that is not there, so the file is whole for a moment.
        @Override
        public MemorySegment map(long offset, long bytes, Arena arena) {
            try {
                long now = channel.size();
                if (now < offset + bytes) {
                    channel.write(ByteBuffer.allocate(1), offset + bytes - 1);
                }
                MemorySegment mapped = channel.map(MapMode.READ_ONLY, offset, bytes, arena);
                channel.truncate(now);
                return mapped;
            } catch (IOException e) {
                throw new StorageException("cannot be mapped", location.where(), e);
            }
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            try {
                int got = channel.read(target.asSlice(targetOffset, Math.min(bytes, 1 << 30)).asByteBuffer(), offset);
                return Math.max(0, got);
            } catch (IOException e) {
                throw new StorageException("cannot be read", location.where().withOffset(offset), e);
            }
        }

        @Override
        public String storageName() {
            return "shrinking";
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

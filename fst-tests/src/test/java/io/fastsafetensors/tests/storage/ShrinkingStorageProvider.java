package io.fastsafetensors.tests.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// Local files by the addresses `shrinking:PATH`, which lose their second half as soon as a load knows that the page cache
/// has them: between its look and its copy. Their identity does not tell.
public final class ShrinkingStorageProvider extends ChannelStorageProvider {
    /// For [java.util.ServiceLoader].
    public ShrinkingStorageProvider() {
        super("shrinking", StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    /// A local file that will shrink.
    public static Location shrinking(Path file) {
        return Location.of("shrinking:" + file);
    }

    @Override
    StorageFile file(Location location, FileChannel channel) {
        return new Shrinking(location, channel);
    }

    private static final class Shrinking extends ChannelFile implements CacheResidency, Mapping {
        Shrinking(Location location, FileChannel channel) {
            super(location, channel);
        }

        @Override
        public FileIdentity identity() {
            return FileIdentity.of("always the same");
        }

        @Override
        public long cachedBytes(long offset, long bytes) {
            try {
                channel.truncate(length() / 2);
                return bytes;
            } catch (IOException e) {
                throw new StorageException("cannot be cut off", location().where(), e);
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
                throw new StorageException("cannot be mapped", location().where(), e);
            }
        }
    }
}

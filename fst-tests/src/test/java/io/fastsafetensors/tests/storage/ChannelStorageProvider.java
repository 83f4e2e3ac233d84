package io.fastsafetensors.tests.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.Set;

/// Opens local files by the addresses `SCHEME:PATH` and lets a test decide what they can do.
abstract class ChannelStorageProvider implements StorageProvider {
    private final String scheme;
    private final Set<OpenOption> options;

    ChannelStorageProvider(String scheme, OpenOption... options) {
        this.scheme = scheme;
        this.options = Set.of(options);
    }

    /// What a test sees of an open file.
    abstract StorageFile file(Location location, FileChannel channel);

    static Path path(Location location) {
        return Path.of(location.address().substring(location.address().indexOf(':') + 1));
    }

    @Override
    public Set<String> schemes() {
        return Set.of(scheme);
    }

    @Override
    public Storage open(StorageOptions storageOptions) {
        return new Storage() {
            @Override
            public Kind kind(Location location) {
                return Files.isRegularFile(path(location)) ? Kind.FILE : Kind.ABSENT;
            }

            @Override
            public StorageFile open(Location location) {
                try {
                    return file(location, FileChannel.open(path(location), options));
                } catch (IOException e) {
                    throw new StorageException("cannot be opened", location.where(), e);
                }
            }

            @Override
            public void close() {
                // Nothing is held.
            }
        };
    }

    /// A file that is read through its channel.
    abstract static class ChannelFile implements StorageFile {
        final FileChannel channel;
        private final Location location;
        private final long length;

        ChannelFile(Location location, FileChannel channel) {
            this.location = location;
            this.channel = channel;
            try {
                this.length = channel.size();
            } catch (IOException e) {
                throw new StorageException("has no length", location.where(), e);
            }
        }

        @Override
        public final Location location() {
            return location;
        }

        @Override
        public final long length() {
            return length;
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            try {
                return Math.max(0, channel
                        .read(target.asSlice(targetOffset, Math.min(bytes, 1 << 30)).asByteBuffer(), offset));
            } catch (IOException e) {
                throw new StorageException("cannot be read", location.where().withOffset(offset), e);
            }
        }

        @Override
        public final String storageName() {
            return location.address().substring(0, location.address().indexOf(':'));
        }

        @Override
        public final void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw new StorageException("cannot be closed", location.where(), e);
            }
        }
    }
}

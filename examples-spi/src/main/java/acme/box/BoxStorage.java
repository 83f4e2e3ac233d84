package acme.box;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;

/// Opens values of the [Box] as files.
final class BoxStorage implements Storage {
    @Override
    public Kind kind(Location location) {
        return Box.get(key(location)).isPresent() ? Kind.FILE : Kind.ABSENT;
    }

    @Override
    public StorageFile open(Location location) {
        return Box.get(key(location)).map(value -> new BoxFile(location, value))
                .orElseThrow(() -> new StorageException("there is no such value", location.where()));
    }

    @Override
    public void close() {
        // Holds nothing.
    }

    /// What follows a `?` may be a secret, and is no part of the key.
    private static String key(Location location) {
        return location.address().replaceFirst("\\?.*", "");
    }

    private static final class BoxFile implements StorageFile {
        private final Location location;
        private final Box.Value value;
        private volatile boolean closed;

        BoxFile(Location location, Box.Value value) {
            this.location = location;
            this.value = value;
        }

        @Override
        public Location location() {
            return location;
        }

        @Override
        public long length() {
            return value.bytes().length;
        }

        @Override
        public FileIdentity identity() {
            return FileIdentity.of("version " + value.version());
        }

        @Override
        public boolean isCurrent() {
            requireOpen();
            return Box.get(key(location)).map(now -> now.version() == value.version()).orElse(true);
        }

        @Override
        public FileIdentity currentIdentity() {
            requireOpen();
            return identity();
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            requireOpen();
            long count = Math.clamp(length() - offset, 0, bytes);
            MemorySegment.copy(MemorySegment.ofArray(value.bytes()), Math.min(offset, length()), target, targetOffset, count);
            return count;
        }

        @Override
        public String storageName() {
            requireOpen();
            return "box";
        }

        @Override
        public void close() {
            closed = true;
        }

        private void requireOpen() {
            if (closed) {
                throw new IllegalStateException(location + " is closed");
            }
        }
    }
}

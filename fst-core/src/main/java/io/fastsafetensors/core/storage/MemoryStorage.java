package io.fastsafetensors.core.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.OpenFile;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;

/// Serves files in memory: locations that carry their bytes. It has no abilities besides reading: what is in memory
/// already needs neither mapping nor direct reads. Reads check that the segment is alive, since the program may close
/// its arena at any time.
final class MemoryStorage implements Storage {
    @Override
    public Kind kind(Location location) {
        return location.memory().isPresent() ? Kind.FILE : Kind.ABSENT;
    }

    @Override
    public StorageFile open(Location file) {
        return new MemoryFile(file, file.memory().orElseThrow());
    }

    @Override
    public void close() {
        // Nothing is held: the bytes are the location's.
    }

    /// The bytes of one location. Nobody can tell whether they were changed.
    private static final class MemoryFile extends OpenFile {
        private final MemorySegment bytes;

        MemoryFile(Location location, MemorySegment bytes) {
            super(location);
            this.bytes = bytes;
        }

        @Override
        public long length() {
            return bytes.byteSize();
        }

        @Override
        public FileIdentity identity() {
            return FileIdentity.of(location().address());
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long count) {
            requireOpen();
            if (!bytes.scope().isAlive()) {
                throw new StorageException("the memory of the file was freed; keep its arena open while the checkpoint"
                        + " is read", location().where().withOffset(offset), null);
            }
            long got = Math.clamp(bytes.byteSize() - offset, 0, count);
            MemorySegment.copy(bytes, Math.min(offset, bytes.byteSize()), target, targetOffset, got);
            return got;
        }

        @Override
        public String storageName() {
            return "memory";
        }

        @Override
        public String reason() {
            return "copied from the program's memory";
        }

        @Override
        protected void release() {
            // Nothing is held: the bytes are the location's.
        }
    }
}

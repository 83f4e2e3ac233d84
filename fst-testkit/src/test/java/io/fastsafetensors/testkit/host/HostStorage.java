package io.fastsafetensors.testkit.host;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.StorageFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// Files that have a descriptor, read into the memory.
final class HostStorage implements DirectStorage {
    private final HostBackend backend;

    HostStorage(HostBackend backend) {
        this.backend = backend;
    }

    @Override
    public Support support(StorageFile file) {
        return file.ability(DescriptorAccess.class).isPresent() ? Support.of(Mode.DIRECT, "host memory")
                : Support.of(Mode.NONE, "the file has no descriptor");
    }

    @Override
    public DirectFile open(StorageFile file) {
        if (support(file).mode() == Mode.NONE) {
            throw new BackendException("the file has no descriptor", file.location().where().withBackend("host"));
        }
        return backend.opened(new OpenFile(file));
    }

    private final class OpenFile implements DirectFile {
        private final StorageFile file;
        private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
        private boolean closed;

        OpenFile(StorageFile file) {
            this.file = file;
        }

        @Override
        public long alignment() {
            return 1;
        }

        @Override
        public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
            Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
            MemorySegment memory = HostBuffer.memory(target);
            lock.readLock().lock();
            try {
                if (closed) {
                    throw new IllegalStateException("the file is closed");
                }
                long done = 0;
                for (long read = 1; done < bytes && read > 0; done += read) {
                    read = file.read(fileOffset + done, memory, targetOffset + done, bytes - done);
                }
                return done;
            } finally {
                lock.readLock().unlock();
            }
        }

        @Override
        public void close() {
            lock.writeLock().lock();
            closed = true;
            lock.writeLock().unlock();
            backend.forget(this);
        }
    }
}

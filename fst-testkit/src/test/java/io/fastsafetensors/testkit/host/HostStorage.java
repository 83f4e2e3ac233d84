package io.fastsafetensors.testkit.host;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// A file channel read into the memory.
final class HostStorage implements DirectStorage {
    @Override
    public Support support(Path file) {
        return Files.isRegularFile(file) ? new Support(Mode.DIRECT, "host memory")
                : new Support(Mode.NONE, "not a regular file");
    }

    @Override
    public DirectFile open(Path file) {
        try {
            return new OpenFile(FileChannel.open(file));
        } catch (IOException e) {
            throw new BackendException("cannot open for direct reads", Where.file(file).withBackend("host"), e);
        }
    }

    private static final class OpenFile implements DirectFile {
        private final FileChannel channel;
        private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

        OpenFile(FileChannel channel) {
            this.channel = channel;
        }

        @Override
        public long alignment() {
            return 1;
        }

        @Override
        public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
            Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
            MemorySegment memory = HostBuffer.memory(target).asSlice(targetOffset, bytes);
            lock.readLock().lock();
            try {
                if (!channel.isOpen()) {
                    throw new IllegalStateException("the file is closed");
                }
                long done = 0;
                for (int read = 0; done < bytes && read >= 0; done += Math.max(0, read)) {
                    long part = Math.min(bytes - done, 1 << 20);
                    read = channel.read(memory.asSlice(done, part).asByteBuffer(), fileOffset + done);
                }
                return done;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } finally {
                lock.readLock().unlock();
            }
        }

        @Override
        public void close() {
            lock.writeLock().lock();
            try {
                channel.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } finally {
                lock.writeLock().unlock();
            }
        }
    }
}

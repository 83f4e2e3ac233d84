package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// An open file of a [MemoryStore], like a local one: it goes on with its own file when another one takes its place, and
/// sees what is written into its own.
class MemoryFile implements StorageFile {
    /// No read brings more, so that most reads are short.
    private static final long MOST = 50_000;

    private final MemoryStore store;
    private final Location location;
    private final MemoryStore.Node node;
    private final MemoryStore.Version opened;
    private volatile boolean closed;

    MemoryFile(MemoryStore store, Location location, MemoryStore.Node node) {
        this.store = store;
        this.location = location;
        this.node = node;
        this.opened = node.version;
    }

    @Override
    public Location location() {
        return location;
    }

    @Override
    public long length() {
        return opened.content().length();
    }

    @Override
    public FileIdentity identity() {
        return FileIdentity.of(opened.identity());
    }

    @Override
    public FileIdentity currentIdentity() {
        return FileIdentity.of(node.version.identity());
    }

    @Override
    public boolean isCurrent() {
        return store.find(location).map(now -> now.version.identity().equals(opened.identity())).orElse(true);
    }

    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        checkOpen();
        MemoryStore.Content content = node.version.content();
        long count = Math.max(0, Math.min(Math.min(bytes, MOST), content.length() - offset));
        long failing = node.failing;
        if (offset <= failing && failing < offset + count) {
            count = failing - offset;
            if (count == 0) {
                throw new StorageException("the storage failed; try again", location.where().withOffset(offset));
            }
        }
        content.copy(offset, target, targetOffset, count);
        return count;
    }

    @Override
    public String storageName() {
        return "memory";
    }

    @Override
    public void close() {
        closed = true;
    }

    final void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the file is closed: " + location);
        }
    }

    final MemoryStore.Content content() {
        return node.version.content();
    }

    /// With every ability. Every other page is in its page cache.
    static final class Able extends MemoryFile implements CacheResidency, DirectReads, Mapping, DescriptorAccess {
        private static final long PAGE = 4096;

        private @Nullable Path temporary;
        private @Nullable FileChannel channel;

        Able(MemoryStore store, Location location, MemoryStore.Node node) {
            super(store, location, node);
        }

        @Override
        public long cachedBytes(long offset, long bytes) {
            checkOpen();
            long cached = 0;
            long end = Math.min(offset + bytes, content().length());
            for (long at = offset; at < end;) {
                long next = Math.min(end, at / PAGE * PAGE + PAGE);
                cached += at / PAGE % 2 == 0 ? next - at : 0;
                at = next;
            }
            return cached;
        }

        @Override
        public long readCached(long offset, MemorySegment target, long targetOffset, long bytes) {
            checkOpen();
            long end = offset / PAGE * PAGE + PAGE;
            return offset / PAGE % 2 == 0 ? read(offset, target, targetOffset, Math.min(bytes, end - offset)) : 0;
        }

        @Override
        public boolean isDirect() {
            return true;
        }

        @Override
        public long readDirect(long offset, MemorySegment target, long targetOffset, long bytes) {
            if ((offset | target.address() + targetOffset | bytes) % PAGE != 0) {
                throw new IllegalArgumentException("unaligned: " + offset + ", " + targetOffset + ", " + bytes);
            }
            return read(offset, target, targetOffset, bytes);
        }

        @Override
        public MemorySegment map(long offset, long bytes, Arena arena) {
            checkOpen();
            MemorySegment mapped = arena.allocate(bytes);
            content().copy(offset, mapped, 0, bytes);
            return mapped;
        }

        @Override
        public synchronized int descriptor() {
            checkOpen();
            try {
                Path file = temporary;
                if (file == null) {
                    file = MemoryStore.temporary(content()).toRealPath();
                    temporary = file;
                    channel = FileChannel.open(file);
                }
                return number(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static int number(Path file) throws IOException {
            try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
                for (Path descriptor : descriptors) {
                    if (Files.isSymbolicLink(descriptor) && Files.readSymbolicLink(descriptor).equals(file)) {
                        return Integer.parseInt(String.valueOf(descriptor.getFileName()));
                    }
                }
            }
            throw new IOException("no descriptor of " + file);
        }

        @Override
        public synchronized void close() {
            super.close();
            try {
                if (channel != null) {
                    channel.close();
                }
                if (temporary != null) {
                    Files.deleteIfExists(temporary);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}

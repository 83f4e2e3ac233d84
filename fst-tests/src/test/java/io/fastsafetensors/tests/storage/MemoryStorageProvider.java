package io.fastsafetensors.tests.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/// Files in arrays, by the addresses `memory:NAME/NAME`: a storage that core knows nothing of. Counts what is open.
public final class MemoryStorageProvider implements StorageProvider {
    static final Map<String, byte[]> FILES = new ConcurrentHashMap<>();
    static final Map<String, Integer> OPENINGS = new ConcurrentHashMap<>();
    static final AtomicInteger OPEN_FILES = new AtomicInteger();
    static final AtomicInteger OPEN_STORAGES = new AtomicInteger();
    /// The most bytes that one read gives, as an object store may.
    private static final long SHORT = 10_007;

    /// For [java.util.ServiceLoader].
    public MemoryStorageProvider() {
    }

    @Override
    public Set<String> schemes() {
        return Set.of("memory");
    }

    @Override
    public Storage open(StorageOptions options) {
        OPEN_STORAGES.incrementAndGet();
        return new InMemory();
    }

    private static final class InMemory implements Storage {
        @Override
        public Kind kind(Location location) {
            return FILES.containsKey(location.address()) ? Kind.FILE
                    : names(location).isEmpty() ? Kind.ABSENT : Kind.DIRECTORY;
        }

        @Override
        public List<StorageEntry> list(Location directory) {
            return names(directory).stream().map(directory::resolve)
                    .map(entry -> StorageEntry.of(entry, kind(entry))).toList();
        }

        private static Set<String> names(Location directory) {
            Set<String> names = new TreeSet<>();
            String prefix = directory.address() + "/";
            for (String address : FILES.keySet()) {
                if (address.startsWith(prefix)) {
                    names.add(address.substring(prefix.length()).split("/", 2)[0]);
                }
            }
            return names;
        }

        @Override
        public StorageFile open(Location file) {
            byte[] content = FILES.get(file.address());
            if (content == null) {
                throw new StorageException("no such file in memory", file.where());
            }
            OPENINGS.merge(file.address(), 1, Integer::sum);
            OPEN_FILES.incrementAndGet();
            return new InArray(file, content);
        }

        @Override
        public void close() {
            OPEN_STORAGES.decrementAndGet();
        }
    }

    /// One version of a file: its writer puts another array in place.
    private static final class InArray implements StorageFile {
        private final Location location;
        private final byte[] content;
        private volatile boolean closed;

        InArray(Location location, byte[] content) {
            this.location = location;
            this.content = content;
        }

        @Override
        public Location location() {
            return location;
        }

        @Override
        public long length() {
            return content.length;
        }

        @Override
        public FileIdentity identity() {
            return FileIdentity.of("array " + System.identityHashCode(content));
        }

        @Override
        public boolean isCurrent() {
            byte[] now = FILES.get(location.address());
            return now == null || now == content;
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            if (closed) {
                throw new IllegalStateException(location + " is closed");
            }
            int got = (int) Math.clamp(content.length - offset, 0, Math.min(bytes, SHORT));
            MemorySegment.copy(content, (int) Math.min(offset, content.length), target, ValueLayout.JAVA_BYTE,
                    targetOffset, got);
            return got;
        }

        @Override
        public String storageName() {
            return "memory";
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                OPEN_FILES.decrementAndGet();
            }
        }
    }
}

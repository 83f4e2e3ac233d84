package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.util.List;
import java.util.Set;

/// Serves the scheme `mem` from a [MemoryStore].
public final class MemoryProvider implements StorageProvider {
    final MemoryStore store;
    final boolean full;

    private MemoryProvider(MemoryStore store, boolean full) {
        this.store = store;
        this.full = full;
    }

    /// Lists, and its files have every ability.
    public static MemoryProvider full() {
        return new MemoryProvider(new MemoryStore(), true);
    }

    /// Has the required methods only.
    public static MemoryProvider plain() {
        return new MemoryProvider(new MemoryStore(), false);
    }

    @Override
    public Set<String> schemes() {
        return Set.of("mem");
    }

    @Override
    public Storage open(StorageOptions options) {
        return full ? new Listing() : new Plain();
    }

    private class Plain implements Storage {
        @Override
        public Kind kind(Location location) {
            return store.find(location).map(node -> node.kind).orElse(Kind.ABSENT);
        }

        @Override
        public StorageFile open(Location file) {
            MemoryStore.Node node = store.find(file)
                    .orElseThrow(() -> new StorageException("there is no such file", file.where()));
            if (node.kind != Kind.FILE) {
                throw new StorageException("this is no file but " + node.kind, file.where());
            }
            return full ? new MemoryFile.Able(store, file, node) : new MemoryFile(store, file, node);
        }

        @Override
        public void close() {
            // Holds nothing.
        }
    }

    private final class Listing extends Plain {
        @Override
        public List<StorageEntry> list(Location directory) {
            if (kind(directory) != Kind.DIRECTORY) {
                throw new StorageException("there is no such directory", directory.where());
            }
            return store.names(directory).stream().map(directory::resolve)
                    .map(entry -> StorageEntry.of(entry, kind(entry))).toList();
        }
    }
}

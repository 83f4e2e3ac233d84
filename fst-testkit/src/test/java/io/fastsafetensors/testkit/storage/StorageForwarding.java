package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Storages that do what another one does, for mutants to override.
final class StorageForwarding {
    private StorageForwarding() {
    }

    static class OfProvider implements StorageProvider {
        final StorageProvider real;

        OfProvider(StorageProvider real) {
            this.real = real;
        }

        @Override
        public Set<String> schemes() {
            return real.schemes();
        }

        @Override
        public Storage open(StorageOptions options) {
            return real.open(options);
        }
    }

    static class OfStorage implements Storage {
        final Storage real;

        OfStorage(Storage real) {
            this.real = real;
        }

        @Override
        public Location pin(Location location) {
            return real.pin(location);
        }

        @Override
        public Kind kind(Location location) {
            return real.kind(location);
        }

        @Override
        public List<StorageEntry> list(Location directory) {
            return real.list(directory);
        }

        @Override
        public StorageFile open(Location file) {
            return real.open(file);
        }

        @Override
        public void close() {
            real.close();
        }
    }

    static class OfFile implements StorageFile {
        final StorageFile real;

        OfFile(StorageFile real) {
            this.real = real;
        }

        @Override
        public Location location() {
            return real.location();
        }

        @Override
        public long length() {
            return real.length();
        }

        @Override
        public FileIdentity identity() {
            return real.identity();
        }

        @Override
        public FileIdentity currentIdentity() {
            return real.currentIdentity();
        }

        @Override
        public boolean isCurrent() {
            return real.isCurrent();
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            return real.read(offset, target, targetOffset, bytes);
        }

        @Override
        public String storageName() {
            return real.storageName();
        }

        @Override
        public <A> Optional<A> ability(Class<A> type) {
            return real.ability(type);
        }

        @Override
        public void close() {
            real.close();
        }
    }
}

package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.DescriptorAccess;
import io.fastsafetensors.spi.storage.DirectReads;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.testkit.StorageFixture;
import io.fastsafetensors.types.Location;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

/// Writes files of a [MemoryProvider]'s store.
public final class MemoryFixture extends StorageFixture {
    private static final AtomicLong NUMBERS = new AtomicLong();

    private final MemoryStore store;
    private final boolean lists;
    private final Location base = Location.of("mem://host/" + NUMBERS.incrementAndGet());

    /// A place of its own in the store of this provider.
    public MemoryFixture(MemoryProvider provider) {
        this.store = provider.store;
        this.lists = provider.full;
    }

    @Override
    public Location location(String name) {
        return base.resolve(name);
    }

    @Override
    public void write(Location file, byte[] bytes) {
        store.put(file, Storage.Kind.FILE, MemoryStore.Content.of(bytes));
    }

    @Override
    public void delete(Location file) {
        store.remove(file);
    }

    @Override
    public void rewrite(Location file, byte[] bytes) {
        store.rewrite(file, bytes);
    }

    @Override
    public void append(Location file, byte[] bytes) {
        store.append(file, bytes);
    }

    @Override
    public void truncate(Location file, long length) {
        store.truncate(file, length);
    }

    @Override
    public boolean lists() {
        return lists;
    }

    @Override
    public void makeDirectory(Location directory) {
        store.put(directory, Storage.Kind.DIRECTORY, MemoryStore.Content.of(new byte[0]));
    }

    @Override
    public void makeOther(Location other) {
        store.put(other, Storage.Kind.OTHER, MemoryStore.Content.of(new byte[0]));
    }

    @Override
    public void writeSparse(Location file, long length, Map<Long, byte[]> pieces) {
        store.put(file, Storage.Kind.FILE, new MemoryStore.Content(length, new TreeMap<>(pieces)));
    }

    @Override
    public void failReads(Location file, long offset) {
        store.get(file).failing = offset;
    }

    @Override
    public Set<Class<?>> abilities() {
        return lists ? Set.of(CacheResidency.class, DirectReads.class, Mapping.class, DescriptorAccess.class)
                : Set.of();
    }

    @Override
    public void close() {
        store.removeBelow(base);
    }
}

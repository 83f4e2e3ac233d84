package acme;

import acme.box.Box;
import acme.box.BoxProvider;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.StorageConformance;
import io.fastsafetensors.testkit.StorageFixture;
import io.fastsafetensors.types.Location;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

class BoxConformanceTest extends StorageConformance {
    private static final AtomicLong SHELVES = new AtomicLong();

    @Override
    protected StorageProvider provider() {
        return new BoxProvider();
    }

    @Override
    protected StorageFixture fixture() {
        Location shelf = Location.of("box://shelf-" + SHELVES.incrementAndGet());
        Set<String> written = ConcurrentHashMap.newKeySet();
        return new StorageFixture() {
            @Override
            public Location location(String name) {
                return shelf.resolve(name);
            }

            @Override
            public void write(Location file, byte[] bytes) {
                written.add(file.address());
                Box.put(file.address(), bytes);
            }

            @Override
            public void delete(Location file) {
                Box.remove(file.address());
            }

            @Override
            public void close() {
                written.forEach(Box::remove);
            }
        };
    }
}

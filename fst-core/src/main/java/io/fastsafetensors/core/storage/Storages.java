package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.storage.cache.CachedStorage;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.Services;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/// The storages of one loader, or of one call that reads headers: each is opened when the first location of its scheme is
/// met and closed by the last holder of this. Thread-safe.
///
/// Core brings the storages of paths and of memory itself, so that a load of a local file looks for no provider: a look
/// constructs every storage provider on the class path. All other schemes are served by providers, each storage behind
/// [CachedStorage], and stay open until the end because connections and credentials are worth keeping between files.
///
/// The lock is held while a provider is looked for, so each scheme is looked for once.
public final class Storages implements AutoCloseable {
    /// The scheme of paths; no provider may serve it.
    private static final String PATHS = "file";

    /// Serves locations that carry their bytes; never closed, since it holds nothing.
    private final Storage memory = new MemoryStorage();
    /// By scheme, in the order in which they were opened.
    private final Map<String, Storage> open = new LinkedHashMap<>();
    private final StorageOptions options;
    private int holders = 1;

    private Storages(StorageOptions options) {
        this.options = options;
    }

    /// None yet; one holder.
    ///
    /// @param options what each storage is told when it is opened
    public static Storages open(StorageOptions options) {
        return new Storages(options);
    }

    /// None yet, for headers alone; one holder.
    ///
    /// @param options what each storage is told when it is opened
    public static Storages forHeaders(StorageOptions options) {
        Storages storages = new Storages(options);
        storages.open.put(PATHS, LocalStorage.forHeaders());
        return storages;
    }

    /// With this one for paths; one holder.
    static Storages over(Storage local) {
        Storages storages = new Storages(StorageOptions.none());
        storages.open.put(PATHS, local);
        return storages;
    }

    /// What each storage is told when it is opened.
    StorageOptions options() {
        return options;
    }

    /// The storage that serves a location. Opening happens under the lock: two threads that meet a scheme at once get
    /// one storage, and opening connects to nothing by contract.
    ///
    /// @throws UnsupportedFeatureException if there is none for its scheme, naming those that are there
    public synchronized Storage of(Location location) {
        if (holders == 0) {
            throw new IllegalStateException("the storages are closed");
        }
        if (location.memory().isPresent()) {
            return memory;
        }
        // What is a path is read as one, whatever its file system is called.
        String scheme = location.path().isPresent() ? PATHS : location.scheme();
        Storage storage = open.get(scheme);
        if (storage == null) {
            storage = scheme.equals(PATHS) ? LocalStorage.platform() : open(find(scheme, location), scheme, location);
            open.put(scheme, storage);
        }
        return storage;
    }

    /// A provider that was compiled against another version fails here with a link error, which says what to do where
    /// the JVM's text does not.
    private Storage open(StorageProvider provider, String scheme, Location location) {
        try {
            return cached(provider.open(options));
        } catch (LinkageError e) {
            throw new StorageException("the storage of scheme " + scheme + " (" + provider.getClass().getName()
                    + ") does not go together with this version of fst: " + e, location.where(), e);
        }
    }

    /// Around a storage that is closed if its cache cannot be opened.
    ///
    /// Around every storage but those that core brings; where caching is off the storage itself is returned.
    private Storage cached(Storage storage) {
        boolean done = false;
        try {
            Storage cached = CachedStorage.around(storage, LocalStorage.platform(), options);
            done = true;
            return cached;
        } finally {
            if (!done) {
                storage.close();
            }
        }
    }

    /// The first provider that serves a scheme, in the order of [Services#all]. One that is broken hides nobody and is told
    /// only where no other serves the scheme.
    private static StorageProvider find(String scheme, Location location) {
        Set<String> present = new TreeSet<>(Set.of(PATHS));
        List<String> broken = new ArrayList<>();
        for (Services.Found<StorageProvider> found : Services.all(StorageProvider.class, Storages.class)) {
            found.error().ifPresent(error -> broken.add(found.className() + " cannot be constructed: " + error));
            if (found.service().isEmpty()) {
                continue;
            }
            StorageProvider provider = found.service().get();
            try {
                Set<String> schemes = Set.copyOf(provider.schemes());
                Optional<String> refusal = SpiVersion.refusal(provider.spiVersion());
                if (refusal.isPresent()) {
                    broken.add(found.className() + " for " + schemes + ": " + refusal.get());
                } else if (schemes.contains(scheme)) {
                    return provider;
                } else {
                    present.addAll(schemes);
                }
            } catch (RuntimeException | LinkageError e) {
                broken.add(found.className() + " fails: " + e);
            }
        }
        throw new UnsupportedFeatureException("no storage for scheme " + scheme + "; present: "
                + String.join(", ", present) + (broken.isEmpty() ? "" : "; not used: " + String.join("; ", broken)),
                location.where());
    }

    /// One holder more.
    synchronized Storages retain() {
        if (holders == 0) {
            throw new IllegalStateException("the storages are closed");
        }
        holders++;
        return this;
    }

    /// One holder less; the last closes the storages.
    @Override
    public void close() {
        List<Storage> last;
        synchronized (this) {
            if (--holders > 0) {
                return;
            }
            last = List.copyOf(open.values());
            open.clear();
        }
        Releases releases = new Releases();
        for (Storage storage : last) {
            releases.run(storage::close);
        }
        releases.finish();
    }
}

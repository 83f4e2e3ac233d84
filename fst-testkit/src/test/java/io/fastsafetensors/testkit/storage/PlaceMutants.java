package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.spi.storage.StorageEntry;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.types.Location;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/// Defects of schemes, opening, kinds, lists and names.
final class PlaceMutants {
    private PlaceMutants() {
    }

    static List<StorageMutant> all() {
        List<StorageMutant> all = new ArrayList<>(openings());
        all.addAll(kinds());
        all.addAll(lists());
        all.addAll(names());
        return all;
    }

    private static List<StorageMutant> openings() {
        return List.of(
                StorageMutant.of("S-01", "a scheme in capitals", memory -> schemes(memory, Set.of("mem", "MEM"))),
                StorageMutant.of("S-01", "another scheme", memory -> schemes(memory, Set.of("memory"))),
                StorageMutant.ofStorage("S-02", "a descriptor for each storage", real -> {
                    Handle handle = Handle.open();
                    return closing(real, handle::close);
                }), StorageMutant.ofStorage("S-02", "a thread for each storage", real -> {
                    CountDownLatch end = new CountDownLatch(1);
                    Thread.ofPlatform().daemon().name("pool").start(() -> awaitQuietly(end));
                    return closing(real, end::countDown);
                }), StorageMutant.of("S-03", "any option is refused",
                        memory -> new StorageForwarding.OfProvider(memory) {
                            @Override
                            public Storage open(StorageOptions options) {
                                if (!options.equals(StorageOptions.none())) {
                                    throw new ConfigException("unknown option", Where.nowhere());
                                }
                                return super.open(options);
                            }
                        }),
                StorageMutant.of("S-04", "all storages share what the first one that is closed closes", memory -> {
                    AtomicInteger closed = new AtomicInteger();
                    return StorageMutant.storages(memory, real -> sharing(real, closed));
                }));
    }

    private static StorageForwarding.OfProvider schemes(StorageProvider memory, Set<String> schemes) {
        return new StorageForwarding.OfProvider(memory) {
            @Override
            public Set<String> schemes() {
                return schemes;
            }
        };
    }

    static Storage closing(Storage storage, Runnable whenClosed) {
        return new StorageForwarding.OfStorage(storage) {
            @Override
            public void close() {
                whenClosed.run();
                super.close();
            }
        };
    }

    static void awaitQuietly(CountDownLatch end) {
        try {
            end.await();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static Storage sharing(Storage storage, AtomicInteger closed) {
        int before = closed.get();
        return new StorageForwarding.OfStorage(storage) {
            @Override
            public StorageFile open(Location file) {
                return StorageMutant.reading(super.open(file), (real, offset, target, targetOffset, bytes) -> {
                    if (closed.get() != before) {
                        throw new StorageException("the pool is shut down", file.where());
                    }
                    return real.read(offset, target, targetOffset, bytes);
                });
            }

            @Override
            public void close() {
                closed.incrementAndGet();
                super.close();
            }
        };
    }

    private static List<StorageMutant> kinds() {
        return List.of(kind("S-05", "an empty file is a directory", storage -> location -> {
            Storage.Kind kind = storage.kind(location);
            if (kind != Storage.Kind.FILE) {
                return kind;
            }
            try (StorageFile file = storage.open(location)) {
                return file.length() == 0 ? Storage.Kind.DIRECTORY : kind;
            }
        }), kind("S-05", "nothing is an error", storage -> location -> {
            Storage.Kind kind = storage.kind(location);
            if (kind == Storage.Kind.ABSENT) {
                throw new StorageException("status 404", location.where());
            }
            return kind;
        }).besides("S-06"), kind("S-06", "the first answer is kept", storage -> {
            Map<Location, Storage.Kind> known = new ConcurrentHashMap<>();
            return location -> known.computeIfAbsent(location, storage::kind);
        }), kind("S-07", "an empty directory is nothing", storage -> location -> {
            Storage.Kind kind = storage.kind(location);
            return kind == Storage.Kind.DIRECTORY && storage.list(location).isEmpty() ? Storage.Kind.ABSENT : kind;
        }), kind("S-08", "everything that is no directory is a file", storage -> location -> {
            Storage.Kind kind = storage.kind(location);
            return kind == Storage.Kind.OTHER ? Storage.Kind.FILE : kind;
        }));
    }

    private static StorageMutant kind(String rule, String defect,
            Function<Storage, Function<Location, Storage.Kind>> broken) {
        return StorageMutant.ofStorage(rule, defect, storage -> {
            Function<Location, Storage.Kind> kind = broken.apply(storage);
            return new StorageForwarding.OfStorage(storage) {
                @Override
                public Kind kind(Location location) {
                    return kind.apply(location);
                }
            };
        });
    }

    private interface Listing {
        List<StorageEntry> list(Storage real, Location directory);
    }

    private static List<StorageMutant> lists() {
        return List.of(
                list("S-09", "the first page only",
                        (real, directory) -> real.list(directory).stream().limit(32).toList()),
                list("S-09", "pages overlap by one entry", (real, directory) -> {
                    List<StorageEntry> entries = new ArrayList<>(real.list(directory));
                    if (entries.size() > 32) {
                        entries.add(32, entries.get(31));
                    }
                    return entries;
                }),
                list("S-09", "an entry's location is its name next to the directory",
                        (real, directory) -> real.list(directory).stream()
                                .map(e -> StorageEntry.of(directory.parent().orElseThrow().resolve(e.name()), e.kind()))
                                .toList()),
                list("S-09", "directories are left out",
                        (real, directory) -> real.list(directory).stream()
                                .filter(entry -> entry.kind() == Storage.Kind.FILE).toList()),
                list("S-10", "a directory that is not there is empty",
                        (real, directory) -> real.kind(directory) == Storage.Kind.ABSENT ? List.of()
                                : real.list(directory)),
                StorageMutant.of("S-11", "a storage that cannot list finds nothing", MemoryProvider.plain(),
                        memory -> StorageMutant.storages(memory, storage -> new StorageForwarding.OfStorage(storage) {
                            @Override
                            public List<StorageEntry> list(Location directory) {
                                return List.of();
                            }
                        })));
    }

    private static StorageMutant list(String rule, String defect, Listing listing) {
        return StorageMutant.ofStorage(rule, defect, storage -> new StorageForwarding.OfStorage(storage) {
            @Override
            public List<StorageEntry> list(Location directory) {
                return listing.list(real, directory);
            }
        });
    }

    private static List<StorageMutant> names() {
        return List.of(StorageMutant.ofStorage("S-12", "names are decoded twice",
                storage -> new StorageForwarding.OfStorage(storage) {
                    @Override
                    public StorageFile open(Location file) {
                        return super.open(Location.of(file.address().replace("%25", "%")));
                    }
                }), pin("S-13", "each pin is another one", new AtomicInteger()::incrementAndGet),
                pin("S-13", "a pin moves", () -> 0));
    }

    private interface Number {
        int next();
    }

    private static StorageMutant pin(String rule, String defect, Number number) {
        return StorageMutant.ofStorage(rule, defect, storage -> new StorageForwarding.OfStorage(storage) {
            @Override
            public Location pin(Location location) {
                return location.address().indexOf('?') >= 0 ? location
                        : Location.of(location.address() + "?pin=" + number.next());
            }
        });
    }
}
